import { readFileSync } from 'node:fs'
import { FormatError } from '../format-error.ts'
import { notTheFileItself } from './not-the-file.ts'
import { requireRegularFile } from './regular-file.ts'

/**
 * Reads a text file in UTF-8, without its byte order mark.
 *
 * @throws {FormatError} naming the file, when it is UTF-16 or no text in UTF-8, or stands in for the file that was meant
 * @throws {Error} when it cannot be read
 */
export function readTextFile(path: string): string {
  requireRegularFile(path)
  const bytes = readFileSync(path)
  const standIn = notTheFileItself(bytes)
  if (standIn !== undefined) throw new FormatError(`${path} ${standIn}`)
  return decodeText(bytes, path)
}

/**
 * Text in UTF-8, without its byte order mark.
 *
 * @param source the file, for the message
 * @throws {FormatError} when the bytes are UTF-16, or not UTF-8
 */
export function decodeText(bytes: Uint8Array, source: string): string {
  if (isUtf16(bytes))
    throw new FormatError(`${source} is UTF-16, as PowerShell's > writes it: save it as UTF-8`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new FormatError(`${source} is not UTF-8 text: save it as UTF-8`)
  }
}

/** With its byte order mark, or recognised by the zero in one of the first two bytes of Latin text. */
function isUtf16(bytes: Uint8Array): boolean {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return false
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true
  return (first === 0) !== (second === 0)
}
