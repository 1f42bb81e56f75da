/**
 * Most unbounded repeats in one alternative of a pattern: with more, matching may exceed the cube of a text's length.
 */
const UNBOUNDED_MAX = 3
/** A repeat whose bounds differ by at most this counts as bounded: `\p{N}{1,3}`. */
const BOUNDED_MAX = 64
/** Most ways in which choices and bounded repeats that follow each other can match, multiplied. */
const WAYS_MAX = 4096

/** An open group, or the whole pattern. */
interface Frame {
  /** Whether it contains a repeat or a choice: if repeated, it could match a text in exponentially many ways. */
  isVariable: boolean
  /** Unbounded repeats in the current alternative, including its groups; the maximum over the earlier alternatives. */
  unbounded: number
  unboundedBefore: number
  /** Ways in which the bounded parts of the current alternative can match, multiplied; the sum over the earlier ones. */
  ways: number
  waysBefore: number
}

/**
 * Why a regular expression in tokenizer.json could take exponential time; undefined if it cannot. Refuses a repeated
 * group that contains a repeat or a choice, as in `(a+)+$` and `(a|aa)*$`, more than three unbounded repeats in one
 * alternative, and choices and bounded repeats that combine in too many ways, like thirty times `a?`. The patterns of
 * GPT-2, Llama 3, Qwen, DeepSeek and similar models have none of these. Accepted patterns take at most polynomial time,
 * which can still be long for a long text.
 *
 * @param source in Oniguruma syntax, as Hugging Face writes it
 * @param unboundedMax most unbounded repeats in one alternative; may be higher for short texts
 */
export function patternFault(source: string, unboundedMax = UNBOUNDED_MAX): string | undefined {
  const stack: Frame[] = [newFrame()]
  /** What a repeat would apply to: a group just closed, or an element that matches in only one way. */
  let atom: Frame | undefined
  for (let at = 0; at < source.length; ) {
    const frame = stack.at(-1)!
    const repeat = repeatAt(source, at)
    if (repeat !== undefined) {
      if (atom?.isVariable && repeat.max > 1) return 'a repeated group contains a repeat or a choice'
      if (repeat.min !== repeat.max) frame.isVariable = true
      const more = repeat.max - repeat.min
      if (more > BOUNDED_MAX) frame.unbounded++
      else frame.ways *= more + 1
      const fault = frameFault(frame, unboundedMax)
      if (fault !== undefined) return fault
      at += repeat.length
      atom = undefined
      continue
    }
    atom = undefined
    const character = source[at]!
    if (character === '(') stack.push(newFrame())
    else if (character === ')' && stack.length > 1) {
      atom = stack.pop()!
      const outer = stack.at(-1)!
      outer.isVariable ||= atom.isVariable
      outer.unbounded += most(atom)
      outer.ways *= allWays(atom)
      const fault = frameFault(outer, unboundedMax)
      if (fault !== undefined) return fault
    } else if (character === '|') {
      frame.isVariable = true
      frame.unboundedBefore = most(frame)
      frame.unbounded = 0
      frame.waysBefore = allWays(frame)
      frame.ways = 1
    }
    at += character === '(' ? groupStart(source, at) : atomLength(source, at)
  }
  return undefined
}

/** Every regular expression (`{ "Regex": "…" }`) in a part of tokenizer.json, at any depth. */
export function patternsIn(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return []
  return Object.entries(part).flatMap(([key, value]) =>
    key === 'Regex' && typeof value === 'string' ? [value] : patternsIn(value)
  )
}

function newFrame(): Frame {
  return { isVariable: false, unbounded: 0, unboundedBefore: 0, ways: 1, waysBefore: 0 }
}

function most({ unbounded, unboundedBefore }: Frame): number {
  return Math.max(unbounded, unboundedBefore)
}

function allWays({ ways, waysBefore }: Frame): number {
  return ways + waysBefore
}

function frameFault(frame: Frame, unboundedMax: number): string | undefined {
  if (most(frame) > unboundedMax) return `more than ${unboundedMax} unbounded repeats follow each other`
  if (allWays(frame) > WAYS_MAX)
    return `more than ${WAYS_MAX} ways in which its choices and optional parts combine`
  return undefined
}

/** The repeat that begins at `at`, including its lazy or possessive suffix. */
function repeatAt(source: string, at: number): { min: number; max: number; length: number } | undefined {
  const [whole, low, comma, high] = /^(?:[*+?]|\{(\d*)(,?)(\d*)\})[?+]?/.exec(source.slice(at, at + 32)) ?? []
  if (whole === undefined) return undefined
  const { length } = whole
  if (whole[0] === '*') return { min: 0, max: Number.POSITIVE_INFINITY, length }
  if (whole[0] === '+') return { min: 1, max: Number.POSITIVE_INFINITY, length }
  if (whole[0] === '?') return { min: 0, max: 1, length }
  if (low === '' && high === '') return undefined
  const max = comma === '' ? Number(low) : high === '' ? Number.POSITIVE_INFINITY : Number(high)
  return { min: Number(low), max, length }
}

/** Length of `(`, `(?:`, `(?i:`, `(?<=`, `(?<name>` and the like: their question mark is not a repeat. */
function groupStart(source: string, at: number): number {
  return /^\((?:\?(?:<[=!]|[=!>:]|<\w+>|[a-zA-Z-]*:?))?/.exec(source.slice(at, at + 64))![0].length
}

/** Length of an escape, a class including nested classes, or a character. */
function atomLength(source: string, at: number): number {
  if (source[at] === '\\') return /^\\(?:[pPxu]\{[^}]*\}|[\s\S]?)/.exec(source.slice(at))![0].length
  if (source[at] !== '[') return 1
  let depth = 0
  for (let end = at; end < source.length; end++) {
    if (source[end] === '\\') end++
    else if (source[end] === '[') depth++
    else if (source[end] === ']' && --depth === 0) return end + 1 - at
  }
  return source.length - at
}
