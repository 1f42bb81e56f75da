import { UsageError } from '../terminal/usage-error.ts'

/**
 * Parses an option that must be an integer in a range.
 *
 * @throws {UsageError}
 */
export function integer(
  name: string,
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER
): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
    throw new UsageError(`${name} must be ${integerText(minimum, maximum)}, got ${JSON.stringify(text)}`)
  }
}

function integerText(minimum: number, maximum: number): string {
  if (maximum !== Number.MAX_SAFE_INTEGER) return `an integer from ${minimum} to ${maximum}`
  if (minimum === 0) return 'a non-negative integer'
  return minimum === 1 ? 'a positive integer' : `an integer of at least ${minimum}`
}

/**
 * Parses an option that must be a positive number.
 *
 * @throws {UsageError}
 */
export function positiveNumber(name: string): (text: string) => number {
  return numberIn(name, 'a positive number', (value) => value > 0)
}

/**
 * Parses an option that must be a number of at least 0.
 *
 * @throws {UsageError}
 */
export function nonNegativeNumber(name: string): (text: string) => number {
  return numberIn(name, 'a non-negative number', (value) => value >= 0)
}

/**
 * Parses an option that must be a number above 0 and at most 1.
 *
 * @throws {UsageError}
 */
export function share(name: string): (text: string) => number {
  return numberIn(name, 'a number above 0 and at most 1', (value) => value > 0 && value <= 1)
}

/** Splits a list given as `a,b,c`. */
export function commaSeparated(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function numberIn(name: string, accepts: string, isIn: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isFinite(value) && isIn(value)) return value
    throw new UsageError(`${name} must be ${accepts}, got ${JSON.stringify(text)}`)
  }
}
