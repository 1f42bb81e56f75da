import { type Command, InvalidArgumentError } from 'commander'
import { BASE_FORMATS, type BaseFormat } from '../../src/model/weights/base-format.ts'

/** Reads a list of counts, with commas. */
export function positiveIntegers(text: string): number[] {
  return text.split(',').map(positiveInteger)
}

/** Reads one count. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('give whole numbers from 1 on')
  return value
}

/** Reads a list of forms in which base weights are held, with commas. */
export function baseFormats(text: string): BaseFormat[] {
  return text.split(',').map((name) => {
    const format = BASE_FORMATS.find((known) => known === name)
    if (!format) throw new InvalidArgumentError(`known are ${BASE_FORMATS.join(', ')}`)
    return format
  })
}

/** Reads the command line of a benchmark, which has `--json` too; ends the process with code 2 where it is wrong. */
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
