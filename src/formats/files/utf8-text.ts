import { FormatError } from '../format-error.ts'

/** Thrown for text in an unsupported encoding; the message names the file, the line and what to do. */
export class TextEncodingError extends FormatError {
  override readonly name = 'TextEncodingError'
}

const LINE_FEED = 0x0a
const BYTE_ORDER_MARK = '\ufeff'

/**
 * The text of UTF-8 bytes, without a byte order mark.
 *
 * @param name the file's, for the error
 * @throws {TextEncodingError} with the line, when the bytes are not UTF-8
 */
export function decodeUtf8(bytes: Uint8Array, name: string): string {
  requireNotUtf16(bytes, name)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw notUtf8(bytes, { line: 1, isContinued: false }, name)
  }
}

/**
 * Decodes UTF-8 bytes piece by piece, without the byte order mark. A character may span two pieces.
 *
 * @throws {TextEncodingError} with the line, when the bytes are not UTF-8
 */
export async function* decodeUtf8Stream(
  chunks: AsyncIterable<Uint8Array>,
  name: string
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let line = 1
  let isFirst = true
  for await (const chunk of chunks) {
    if (isFirst) requireNotUtf16(chunk, name)
    let text: string
    try {
      text = decoder.decode(chunk, { stream: true })
    } catch {
      throw notUtf8(chunk, { line, isContinued: !isFirst }, name)
    }
    line += text.split('\n').length - 1
    yield isFirst && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text
    isFirst = false
  }
  try {
    yield decoder.decode()
  } catch {
    throw new TextEncodingError(`${name}:${line}: ends inside a character: is the file truncated?`)
  }
}

/** Detects UTF-16 by its byte order mark, or by the zero bytes of ASCII letters. */
function requireNotUtf16(bytes: Uint8Array, name: string): void {
  const [first, second, third, fourth] = bytes
  const marked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  const low = first !== 0 && second === 0 && third !== 0 && fourth === 0
  const high = first === 0 && second !== 0 && third === 0 && fourth !== 0
  if (marked || (bytes.length >= 4 && (low || high)))
    throw new TextEncodingError(
      `${name}:1: is UTF-16, not UTF-8 text (PowerShell's > writes it): save it as UTF-8`
    )
}

/**
 * The error for the first line that does not decode.
 *
 * @param from line number of the first byte, and whether the bytes may begin inside a character
 */
function notUtf8(
  bytes: Uint8Array,
  { line, isContinued }: { readonly line: number; readonly isContinued: boolean },
  name: string
): TextEncodingError {
  let at = line
  // The remainder of a character that began before these bytes.
  let start = isContinued ? bytes.findIndex((byte) => (byte & 0xc0) !== 0x80) : 0
  if (start === -1 || start > 3) start = 0
  while (start < bytes.length) {
    const found = bytes.indexOf(LINE_FEED, start)
    const end = found === -1 ? bytes.length : found
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, end), { stream: found === -1 })
    } catch {
      break
    }
    if (found === -1) break
    at++
    start = end + 1
  }
  return new TextEncodingError(
    `${name}:${at}: is not UTF-8 text: save the file as UTF-8 (iconv -f latin1 -t utf-8, if it is Latin-1)`
  )
}
