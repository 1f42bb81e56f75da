import { systemErrorText } from '../../node/storage/store-error.ts'
import { printable } from './printable.ts'

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const

/** Options of every command with a result. */
export interface OutputOptions {
  readonly json?: boolean
}

/** Prints a result: with `--json` as the last line of standard output, otherwise as text. */
export function printResult(result: object, { json }: OutputOptions, text: () => string): void {
  if (json === true) process.stdout.write(`${JSON.stringify(result)}\n`)
  else printText(`${text()}\n`)
}

/** Prints part of a textual result as it becomes available. */
export function printText(text: string): void {
  process.stdout.write(printable(text))
}

/** Prints a progress line on standard error, so that standard output has only the result. */
export function printProgress(line: string): void {
  process.stderr.write(`${printable(line)}\n`)
}

/** Prints an error as one line on standard error, with its stack if `LOAM_DEBUG` is set. */
export function printError(error: unknown): void {
  const message = systemErrorText(error) ?? (error instanceof Error ? error.message : String(error))
  printProgress(`error: ${message.trim().replace(/\s*\n\s*/g, '; ')}`)
  if ((process.env.LOAM_DEBUG ?? '') !== '' && error instanceof Error) printProgress(error.stack ?? '')
}

/**
 * Handles a reader that hangs up (`| head -1`): when standard output is closed, the command ends; when standard error
 * is closed, it goes on without it.
 */
export function tolerateClosedOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
  process.stderr.on('error', () => undefined)
}
