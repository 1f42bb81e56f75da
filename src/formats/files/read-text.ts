import { readFileSync } from 'node:fs'
import { FormatError } from '../format-error.ts'
import { notTheFileItself } from './not-the-file.ts'
import { requireRegularFile } from './regular-file.ts'
import { decodeUtf8 } from './utf8-text.ts'

/**
 * Reads a text file in UTF-8, without its byte order mark.
 *
 * @throws {FormatError} naming the file, when it is not UTF-8 text, or replaced the intended file (see
 * `not-the-file.ts`)
 * @throws {Error} when it cannot be read
 */
export function readTextFile(path: string): string {
  requireRegularFile(path)
  const bytes = readFileSync(path)
  const standIn = notTheFileItself(bytes)
  if (standIn !== undefined) throw new FormatError(`${path} ${standIn}`)
  return decodeUtf8(bytes, path)
}
