import { type Command, InvalidArgumentError } from 'commander'
import { BASE_FORMATS, type BaseFormat } from '../../src/model/weights/base-format.ts'

/** Reads a comma-separated list of counts. */
export function positiveIntegers(text: string): number[] {
  return text.split(',').map(positiveInteger)
}

/** Reads one count. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}

/** Reads a comma-separated list of formats of base weights in memory. */
export function baseFormats(text: string): BaseFormat[] {
  return text.split(',').map((name) => {
    const format = BASE_FORMATS.find((known) => known === name)
    if (!format) throw new InvalidArgumentError(`known are ${BASE_FORMATS.join(', ')}`)
    return format
  })
}

/** Parses the command line of a benchmark, adding `--json`; exits with code 2 if it is invalid. */
export function parseBench<T extends object>(
  command: Command,
  examples: readonly string[]
): T & { readonly json: boolean } {
  return command
    .option('--json', 'print one JSON object on the last line, everything else on stderr', false)
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .parse()
    .opts()
}
