import { systemErrorText } from '../../node/storage/store-error.ts'
import { printable } from './printable.ts'

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const

/** Options that every command with a result has. */
export interface OutputOptions {
  readonly json?: boolean
}

/** Prints a result: as the last line of standard output with `--json`, else as text for people. */
export function printResult(result: object, { json }: OutputOptions, text: () => string): void {
  if (json === true) process.stdout.write(`${JSON.stringify(result)}\n`)
  else printText(`${text()}\n`)
}

/** A part of a result for people, as it comes. */
export function printText(text: string): void {
  process.stdout.write(printable(text))
}

/** A line on the way to the result: on standard error, which is nobody's input. */
export function printProgress(line: string): void {
  process.stderr.write(`${printable(line)}\n`)
}

/** An error as one line on standard error, and its stack where `LOAM_DEBUG` is set. */
export function printError(error: unknown): void {
  const message = systemErrorText(error) ?? (error instanceof Error ? error.message : String(error))
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
