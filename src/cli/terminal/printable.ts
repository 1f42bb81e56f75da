/**
 * What steers a terminal in place of being shown on it: control characters (C0, DEL, C1), line and paragraph separators,
 * and the characters that turn the direction of text.
 */
const STEERING = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * A text as a terminal may be given it: what a charter, an invite or a peer holds must not move the cursor, clear the
 * screen or pass for another line. Line feeds and tabs, which the text itself is made with, stay.
 */
export function printable(text: string): string {
  return text.replace(STEERING, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character)
  )
}

/** Like {@link printable}, for what has to stay on its line. */
export function printableLine(text: string): string {
  return text.replace(STEERING, escaped)
}

/** `\u001b`, as JSON writes it. */
function escaped(character: string): string {
  return `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`
}
