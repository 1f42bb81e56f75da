import { parseJson } from './parse-json.ts'

/** A string or a number of a JSON text. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
/** Marks a number that keeps its original notation; a control character that JSON does not use. */
const MARK = '\u0001'
const ESCAPED_MARK = '\\u0001'
const MARKED = /"\\u0001([^"]*)"/g

/**
 * Edits a JSON text and keeps the notation of numbers: `1.0` does not become `1`, which some readers treat as a
 * different type.
 *
 * @param edit modifies the parsed value; numbers that JavaScript would write differently are opaque strings in it
 * @returns the text, indented by two spaces
 */
export function editJson(text: string, path: string, edit: (json: unknown) => unknown): string {
  // If the text contains the mark itself, numbers get JavaScript's notation.
  const marked = text.includes(ESCAPED_MARK)
    ? text
    : text.replace(TOKEN, (token) =>
        token.startsWith('"') || String(Number(token)) === token ? token : JSON.stringify(`${MARK}${token}`)
      )
  const edited = JSON.stringify(edit(parseJson(marked, path)), undefined, 2)
  return text.includes(ESCAPED_MARK) ? edited : edited.replace(MARKED, '$1')
}
