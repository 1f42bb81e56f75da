import { parseJson } from './parse-json.ts'

/** A string or a number of a JSON text. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
/** Marks a number that is kept as it was written; a control character, which JSON has no use for. */
const MARK = '\u0001'
const ESCAPED_MARK = '\\u0001'
const MARKED = /"\\u0001([^"]*)"/g

/**
 * A JSON text with other contents, in which numbers stay as they were written: `1.0` does not become `1`, which some
 * readers take for another type.
 *
 * @param edit changes what the text describes; numbers that JavaScript writes otherwise are strings in it, not to be read
 * @returns the text, indented by two spaces
 */
export function editJson(text: string, path: string, edit: (json: unknown) => unknown): string {
  // A text that has the mark itself is left to JavaScript's way with numbers.
  const marked = text.includes(ESCAPED_MARK)
    ? text
    : text.replace(TOKEN, (token) =>
        token.startsWith('"') || String(Number(token)) === token ? token : JSON.stringify(`${MARK}${token}`)
      )
  const edited = JSON.stringify(edit(parseJson(marked, path)), undefined, 2)
  return text.includes(ESCAPED_MARK) ? edited : edited.replace(MARKED, '$1')
}
