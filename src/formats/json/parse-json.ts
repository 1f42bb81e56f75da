import { FormatError } from '../format-error.ts'
import { jsonFault } from './json-fault.ts'

/**
 * Parses JSON.
 *
 * @param source name of the file, for the message
 * @throws {FormatError} with the file, line and column at which the text stops being JSON
 */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const fault = jsonFault(text)
    if (fault === undefined)
      throw new FormatError(`${source} is not JSON: ${(cause as Error).message}`, { cause })
    const { line, column, reason } = fault
    throw new FormatError(`${source} is not JSON: line ${line}, column ${column}: ${reason}`, { cause })
  }
}
