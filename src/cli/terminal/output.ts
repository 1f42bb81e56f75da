import { NotFittingError } from './usage-error.ts'

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const

/** Options that every command with a result has. */
export interface OutputOptions {
  readonly json?: boolean
}

/** Prints a result: as the last line of standard output with `--json`, else as text for people. */
export function printResult(result: object, { json }: OutputOptions, text: () => string): void {
  process.stdout.write(json === true ? `${JSON.stringify(result)}\n` : `${text()}\n`)
}

/** A line on the way to the result: on standard error, which is nobody's input. */
export function printProgress(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** An error as one line on standard error, and its stack where `LOAM_DEBUG` is set. */
export function printError(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  printProgress(`error: ${message.trim().replace(/\s*\n\s*/g, '; ')}`)
  if ((process.env.LOAM_DEBUG ?? '') !== '' && error instanceof Error) printProgress(error.stack ?? '')
}

/**
 * Lets a reader hang up (`| head -1`): who closes standard output has seen enough, and the command ends; one whose
 * standard error is closed goes on unheard.
 */
export function tolerateClosedOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
  process.stderr.on('error', () => undefined)
}

/**
 * Parses an option that must be a whole number in a range.
 *
 * @throws {NotFittingError}
 */
export function wholeNumber(
  name: string,
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER
): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
    const range = maximum === Number.MAX_SAFE_INTEGER ? `from ${minimum}` : `from ${minimum} to ${maximum}`
    throw new NotFittingError(`${name} must be a whole number ${range}, not ${JSON.stringify(text)}`)
  }
}

/**
 * Parses an option that must be a positive number.
 *
 * @throws {NotFittingError}
 */
export function positiveNumber(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value
    throw new NotFittingError(`${name} must be a positive number, not ${JSON.stringify(text)}`)
  }
}

/** Splits a list given as `a,b,c`. */
export function commaSeparated(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
