import { patternFault } from '../../formats/patterns/pattern-check.ts'
import { AdapterError } from '../pair/adapter-error.ts'

/** Longest pattern and longest module name that are matched. */
const PATTERN_MAX = 2000
const MODULE_MAX = 200
/** A name is short, so that a few more repeats than in a tokenizer's pattern cannot keep the matcher busy. */
const UNBOUNDED_MAX = 4

/**
 * Whether a module matches a pattern of `rank_pattern` or `alpha_pattern`, as PEFT's `get_pattern_key` matches it: the
 * pattern is a regular expression for the whole name, or for its end after a dot.
 *
 * @throws {AdapterError} when it is not a regular expression, or matching could take exponential time
 */
export function patternMatcher(pattern: string): (module: string) => boolean {
  return matcher(`^(?:.*\\.)?(?:${expressionSource(pattern)})$`, pattern)
}

/**
 * Whether a module matches a `target_modules` or `exclude_modules` that is a single string: a regular expression for
 * the whole name (PEFT's `re.fullmatch`).
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
      throw new AdapterError(`the module name ${module.slice(0, 80)}… is too long`)
    return expression.test(module)
  }
}

/** Translates a Python pattern to JavaScript where only the syntax differs. */
function expressionSource(pattern: string): string {
  if (pattern.length > PATTERN_MAX) throw unread(pattern, `it has more than ${PATTERN_MAX} characters`)
  const fault = patternFault(pattern, UNBOUNDED_MAX)
  if (fault !== undefined) throw unread(pattern, `matching some names could take exponential time: ${fault}`)
  if (/\(\?[aiLmsux-]+[):]/.test(pattern)) throw unread(pattern, 'it sets flags inside the pattern')
  return pattern
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\\A/g, '^')
    .replace(/\\Z/g, '$')
}

function unread(pattern: string, reason: string): AdapterError {
  return new AdapterError(
    `the pattern ${JSON.stringify(pattern.slice(0, 200))} is not supported (${reason}): list the module names instead`
  )
}
