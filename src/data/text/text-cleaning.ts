import { createHash } from 'node:crypto'

/** Characters that carry no text: control and format characters, half surrogates, U+FFFD; not those that part words. */
const INVISIBLE = /(?![\n\t\v\f\r])[\p{Cc}\p{Cf}\p{Cs}\ufffd]/gu

/**
 * Text with one kind of newline, one kind of space, no invisible characters, no space at a line's ends and at most one
 * empty line in a row. Applying it twice changes nothing more.
 */
export function normaliseWhitespace(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(INVISIBLE, '')
    .replace(/[^\S\n]+/g, ' ')
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}

/** Joins the hard-wrapped lines of every paragraph; empty lines go on separating paragraphs. */
export function unwrapParagraphs(text: string): string {
  return normaliseWhitespace(text).replace(/([^\n])\n(?!\n)/g, '$1 ')
}

/**
 * Cuts a long text into pieces of at most `maximumCharacters`, at an empty line where there is one, else at the end of
 * a sentence, else at a space, else mid-word. Pieces have about equal lengths, and joined by nothing but white space
 * they are the text again.
 *
 * @throws {RangeError} when `maximumCharacters` is below 2
 */
export function cutText(text: string, maximumCharacters: number): string[] {
  if (maximumCharacters < 2)
    throw new RangeError(`a piece needs at least 2 characters, got ${maximumCharacters}`)
  const pieces: string[] = []
  let rest = text.trim()
  while (rest.length > maximumCharacters) {
    const target = Math.ceil(rest.length / Math.ceil(rest.length / maximumCharacters))
    const end = lastBorder(rest, Math.floor(target / 2), target)
    pieces.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  if (rest.length > 0) pieces.push(rest)
  return pieces
}

/** Offset of the best place to cut in (from, to], never inside a surrogate pair. */
function lastBorder(text: string, from: number, to: number): number {
  const window = text.slice(from, to)
  for (const border of [/\n\n/g, /[.!?]["')\]]*\s/g, /\s/g]) {
    const last = Array.from(window.matchAll(border)).at(-1)
    if (last !== undefined) return from + last.index + last[0].length
  }
  const highSurrogate = /[\ud800-\udbff]/.test(text.charAt(to - 1))
  return highSurrogate ? to - 1 : to
}

/** What two copies of a text share however they are laid out: SHA-256 over its lower-case letters and digits. */
export function contentDigest(text: string): string {
  const letters = text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ')
  return createHash('sha256').update(letters.trim()).digest('hex')
}
