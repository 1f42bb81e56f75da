import { createHash } from 'node:crypto'

/**
 * Characters without text: control and format characters, lone surrogates and U+FFFD, except word separators.
 */
const INVISIBLE = /(?![\n\t\v\f\r])[\p{Cc}\p{Cf}\p{Cs}\ufffd]/gu

/**
 * Text with one kind of newline, one kind of space, no invisible characters, no space at a line's ends and at most one
 * empty line in a row. Idempotent.
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

/** Joins the hard-wrapped lines of every paragraph; empty lines still separate paragraphs. */
export function unwrapParagraphs(text: string): string {
  return normaliseWhitespace(text).replace(/([^\n])\n(?!\n)/g, '$1 ')
}

/** A digest that ignores the layout of a text: SHA-256 over its lowercase letters and digits. */
export function contentDigest(text: string): string {
  const letters = text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ')
  return createHash('sha256').update(letters.trim()).digest('hex')
}
