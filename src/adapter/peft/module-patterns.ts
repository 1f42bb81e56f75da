import { patternFault } from '../../formats/patterns/pattern-check.ts'
import { AdapterError } from '../pair/adapter-error.ts'

/** Longest pattern, and longest name of a module, that are matched. */
const PATTERN_MAX = 2000
const MODULE_MAX = 200
/** A name is short, so that a few more repeats than in a tokenizer's pattern cannot keep the matcher busy. */
const UNBOUNDED_MAX = 4

/**
 * Whether a module fits a pattern of `rank_pattern` or `alpha_pattern`, as PEFT's `get_pattern_key` matches it: the
 * pattern is a regular expression for the whole name, or for its end after a dot.
 *
 * @throws {AdapterError} when it is not a regular expression, or matching could take exponential time
 */
export function patternMatcher(pattern: string): (module: string) => boolean {
  return matcher(`^(?:.*\\.)?(?:${expressionSource(pattern)})$`, pattern)
}

/**
 * Whether a module fits a `target_modules` or `exclude_modules` that is one string: a regular expression for the whole
 * name (PEFT's `re.fullmatch`).
 *
 * @throws {AdapterError} as `patternMatcher`
 */
export function fullMatcher(pattern: string): (module: string) => boolean {
  return matcher(`^(?:${expressionSource(pattern)})$`, pattern)
}

function matcher(source: string, pattern: string): (module: string) => boolean {
  let expression: RegExp
  try {
    expression = new RegExp(source, 's')
  } catch (error) {
    throw unread(pattern, (error as Error).message)
  }
  return (module) => {
    if (module.length > MODULE_MAX)
      throw new AdapterError(`the module ${module.slice(0, 80)}… has too long a name`)
    return expression.test(module)
  }
}

/** Python's pattern in the syntax of JavaScript, where the two differ and the meaning is the same. */
function expressionSource(pattern: string): string {
  if (pattern.length > PATTERN_MAX) throw unread(pattern, `it has more than ${PATTERN_MAX} characters`)
  const fault = patternFault(pattern, UNBOUNDED_MAX)
  if (fault !== undefined) throw unread(pattern, `it may take for ever on some names: ${fault}`)
  if (/\(\?[aiLmsux-]+[):]/.test(pattern)) throw unread(pattern, 'it sets flags inside')
  return pattern
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\\A/g, '^')
    .replace(/\\Z/g, '$')
}

function unread(pattern: string, reason: string): AdapterError {
  return new AdapterError(
    `the pattern ${JSON.stringify(pattern.slice(0, 200))} is not read (${reason}): write the modules' names in its place`
  )
}
