/** Backslashes that JSON does not know, as in a path of Windows. */
const BAD_ESCAPE = /\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})/

/**
 * Why a text is no JSON, with line and column where the engine tells a place.
 *
 * @param error what `JSON.parse` threw
 */
export function jsonFault(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const at = /at position (\d+)/.exec(message)?.[1]
  const offset = at === undefined ? undefined : Number(at)
  // Not the piece of the text that the engine shows: it is somebody's data.
  const reason = message.replace(/ in JSON at position.*$| \(line \d+ column \d+\)$|, (?:\.\.\.)?".*$/s, '')
  const place =
    offset === undefined || !text.trim().includes('\n') ? columnOf(text, offset) : placeOf(text, offset)
  const cure = BAD_ESCAPE.test(text) && /escape/i.test(message) ? ': write a backslash as \\\\' : ''
  return `not valid JSON (${reason}${place})${cure}`
}

function columnOf(_text: string, offset: number | undefined): string {
  return offset === undefined ? '' : `, column ${offset + 1}`
}

function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n')
  return `, line ${lines.length}, column ${lines.at(-1)!.length + 1}`
}
