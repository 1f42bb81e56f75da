/**
 * Cuts a long text into pieces of at most `maximumCharacters`, at an empty line if there is one, otherwise at the end
 * of a sentence, at a space, or mid-word. Pieces have about equal lengths; apart from white space, joining them gives
 * the text again.
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

/** The best offset to cut at in (from, to], never inside a surrogate pair. */
function lastBorder(text: string, from: number, to: number): number {
  const window = text.slice(from, to)
  for (const border of [/\n\n/g, /[.!?]["')\]]*\s/g, /\s/g]) {
    const last = Array.from(window.matchAll(border)).at(-1)
    if (last !== undefined) return from + last.index + last[0].length
  }
  const highSurrogate = /[\ud800-\udbff]/.test(text.charAt(to - 1))
  return highSurrogate ? to - 1 : to
}
