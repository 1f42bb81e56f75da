import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'
import { PYTHON_STRING_METHODS } from './python-strings.ts'
import { pythonText, type Value } from './python-text.ts'
import { strftime } from './strftime.ts'

/** A template's variables. */
interface Scope {
  set(name: string, value: unknown): Value
}

/** The library's interpreter; its own types cannot be resolved under Node's rules. */
interface Engine {
  run(program: unknown): Value
  evaluate(node: Node | undefined, scope: Scope): Value
  evaluateBlock(nodes: readonly Node[], scope: Scope): Value
}
const BaseInterpreter = Interpreter as unknown as new (scope: Scope) => Engine
const newScope = (): Scope => new Environment() as unknown as Scope

/** The parts of the library's syntax tree used here. */
interface Node {
  readonly type: string
  readonly value?: unknown
  readonly callee?: Node
  readonly object?: Node
  readonly property?: Node
  readonly computed?: boolean
  readonly args?: readonly Node[]
  readonly operand?: Node
  readonly filter?: Node
  readonly left?: Node
  readonly right?: Node
  readonly operator?: { readonly value: string }
}

/** A compiled template. */
export interface JinjaTemplate {
  /**
   * @param now the time for `strftime_now`
   * @throws {Error} raised by the template, or for an invalid operation in it
   */
  render(variables: Readonly<Record<string, unknown>>, now: () => Date): string
}

/**
 * Compiles a Jinja template as Hugging Face's libraries do: blocks trimmed, `{% generation %}` without effect on the text.
 * On top of `@huggingface/jinja` it has Python's string methods with their arguments, writes values as Python does, and
 * dates in UTC and English.
 *
 * @throws {Error} when the source is not valid Jinja
 */
export function compileJinja(source: string): JinjaTemplate {
  const plain = source
    .replace(/\{%([-+]?)\s*generation\s*([-+]?)%\}/g, '{%$1 if true $2%}')
    .replace(/\{%([-+]?)\s*endgeneration\s*([-+]?)%\}/g, '{%$1 endif $2%}')
  const program = parse(tokenize(plain, { lstrip_blocks: true, trim_blocks: true }))
  return {
    render(variables, now) {
      const scope = newScope()
      const globals = {
        ...{ true: true, false: false, none: null, True: true, False: false, None: null },
        range: rangeOf,
        raise_exception: (message: string) => {
          throw new Error(message)
        },
        strftime_now: (format: string) => strftime(now(), format),
        ...variables
      }
      for (const [name, value] of Object.entries(globals)) scope.set(name, value)
      return String(new PythonInterpreter(scope).run(program).value)
    }
  }
}

/** Python's `range`. */
function rangeOf(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop]
  if (step === 0) throw new Error('range() step must not be zero')
  return Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, index) => from + index * step)
}

/** Nodes that are no expressions: what they give is text, or nothing. */
const STATEMENTS: ReadonlySet<string> = new Set([
  ...['Program', 'If', 'For', 'Break', 'Continue', 'Set', 'Macro', 'Comment', 'CallStatement'],
  'FilterStatement'
])
const text = (value: string): Value => newScope().set('result', value)

/** The library's interpreter, with Python's own rules for strings and for values that become text. */
class PythonInterpreter extends BaseInterpreter {
  override evaluateBlock(nodes: readonly Node[], scope: Scope): Value {
    const parts = nodes.map((node) => {
      const value = this.evaluate(node, scope)
      return STATEMENTS.has(node.type) && value.type === 'NullValue' ? '' : pythonText(value)
    })
    return text(parts.join(''))
  }

  override evaluate(node: Node | undefined, scope: Scope): Value {
    if (node?.type === 'BinaryExpression' && node.operator?.value === '~')
      return text([node.left, node.right].map((part) => pythonText(this.evaluate(part, scope))).join(''))
    const filtered = this.#asText(node, scope)
    if (filtered !== undefined) return filtered
    const call = stringCall(node)
    if (call !== undefined) {
      const object = this.evaluate(call.object, scope)
      if (object.type === 'StringValue') {
        const values = call.args.map((argument) => this.evaluate(argument, scope).value)
        const method = PYTHON_STRING_METHODS[call.method]!
        return newScope().set('result', method(object.value as string, ...values))
      }
    }
    return super.evaluate(node, scope)
  }

  /** The filters `string` and `join`, which turn values into text. */
  #asText(node: Node | undefined, scope: Scope): Value | undefined {
    if (node?.type !== 'FilterExpression') return undefined
    const { filter, operand } = node
    const isCall = filter?.type === 'CallExpression'
    const name = isCall ? filter.callee?.value : filter?.value
    const [separator, ...more] = isCall ? (filter.args ?? []) : []
    if (name === 'string' && separator === undefined) return text(pythonText(this.evaluate(operand, scope)))
    if (name !== 'join' || more.length > 0 || NAMED_ARGUMENTS.has(separator?.type ?? '')) return undefined
    const list = this.evaluate(operand, scope)
    if (!Array.isArray(list.value)) return undefined
    const between = separator === undefined ? '' : pythonText(this.evaluate(separator, scope))
    return text((list.value as Value[]).map(pythonText).join(between))
  }
}

/** `text.method(…)`, or the filter `text | trim(…)`. */
function stringCall(
  node: Node | undefined
): { readonly object: Node; readonly method: string; readonly args: readonly Node[] } | undefined {
  if (node?.type === 'CallExpression') {
    const { callee, args = [] } = node
    const method = callee?.type === 'MemberExpression' && callee.computed !== true && callee.property?.value
    if (typeof method !== 'string' || !Object.hasOwn(PYTHON_STRING_METHODS, method)) return undefined
    if (args.some(({ type }) => NAMED_ARGUMENTS.has(type))) return undefined
    return { object: callee!.object!, method, args }
  }
  if (node?.type !== 'FilterExpression') return undefined
  const { operand, filter } = node
  const name = filter?.type === 'CallExpression' ? filter.callee?.value : filter?.value
  const method = typeof name === 'string' ? FILTERS[name] : undefined
  if (method === undefined) return undefined
  return { object: operand!, method, args: filter!.type === 'CallExpression' ? (filter!.args ?? []) : [] }
}

/** Filters that correspond to Python's methods. */
const FILTERS: Readonly<Record<string, string>> = { trim: 'strip', capitalize: 'capitalize' }
const NAMED_ARGUMENTS: ReadonlySet<string> = new Set([
  'KeywordArgumentExpression',
  'KeywordSpreadExpression',
  'SpreadExpression'
])
