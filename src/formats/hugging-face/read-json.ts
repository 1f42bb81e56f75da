import { readTextFile } from '../files/read-text.ts'
import { FormatError } from '../format-error.ts'
import { parseJson } from '../json/parse-json.ts'

/**
 * Reads a file that holds a JSON object, in UTF-8 with or without a byte order mark.
 *
 * @throws {Error} with the path, when the file is missing, is not JSON (with line and column), or is not an object
 */
export function readJsonObject(path: string): object {
  const json = parseJson(readTextFile(path), path)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new FormatError(`${path} must contain one JSON object`)
  }
  return json
}
