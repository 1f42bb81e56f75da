import { StringDecoder } from 'node:string_decoder'

/**
 * Splits a stream of bytes into lines.
 *
 * @param limit maximum line length, bytes
 * @param onLine called with each line without its terminator
 * @param onExcess called once with the start of a line that is too long; nothing follows
 * @returns a function to call with each piece of the stream
 */
export function lineSplitter(
  limit: number,
  onLine: (line: string) => void,
  onExcess: (beginning: string) => void
): (piece: Buffer) => void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let isOver = false
  return (piece) => {
    if (isOver) return
    const parts = (rest + decoder.write(piece)).split('\n')
    rest = parts.pop()!
    for (const part of parts) if (part.trim() !== '') onLine(part.trimEnd())
    if (rest.length <= limit) return
    isOver = true
    onExcess(rest.slice(0, 200))
  }
}
