/**
 * Characters that control a terminal: control characters (C0, DEL, C1), line and paragraph separators, and those that
 * change the direction of text.
 */
const STEERING = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * Makes text safe to print on a terminal: the contents of a charter, an invite or a peer's message must not move the
 * cursor, clear the screen or pass for another line. Keeps line feeds and tabs.
 */
export function printable(text: string): string {
  return text.replace(STEERING, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character)
  )
}

/** Like {@link printable}, for text that must stay on one line. */
export function printableLine(text: string): string {
  return text.replace(STEERING, escaped)
}

/** `\u001b`, as JSON writes it. */
function escaped(character: string): string {
  return `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`
}
