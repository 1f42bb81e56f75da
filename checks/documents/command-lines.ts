import type { Document, Quote } from './document.ts'

/** A command shown in a document: in a block, complete, or in a sentence, possibly in part. */
export interface CommandLine extends Quote {
  readonly words: readonly string[]
  readonly isWhole: boolean
}

const PROGRAM = /^(?:npx )?loam(?= |$)/
const COMPILED_PROGRAM = /^node dist\/src\/cli\/main\.js(?= |$)/

/** All `loam …` and `npm …` lines of a document. */
export function commandLinesOf({ spans, blocks }: Document): CommandLine[] {
  const quoted = spans.map((span) => ({ ...span, isWhole: false }))
  const shown = blocks.flatMap((block) => linesOf(block).map((line) => ({ ...line, isWhole: true })))
  return [...quoted, ...shown].flatMap(({ text, line, isWhole }) => {
    const command = text.replace(COMPILED_PROGRAM, 'loam').replace(PROGRAM, 'loam')
    return /^(loam|npm) /.test(command) ? [{ text, line, isWhole, words: wordsOf(command) }] : []
  })
}

/** The lines of a block: lines joined by a backslash are one, and commands joined by `&&` or `|` are separate. */
function linesOf({ text, line }: Quote): Quote[] {
  const joined = text.replace(/\\\n\s*/g, (found) => found.replace(/[^\n]/g, ' ').replace(/\n/g, '\u0001'))
  return joined.split('\n').flatMap((row, index) =>
    row
      .replaceAll('\u0001', ' ')
      .replace(/\s#\s.*$/, '')
      .split(/&&|\s\|\s/)
      .map((part) => ({ text: part.trim().replace(/^\$ /, ''), line: line + index + 1 }))
  )
}

/** Splits as a shell would, honouring quotes and dropping a redirection `>`. */
function wordsOf(command: string): string[] {
  const words = command.match(/"[^"]*"|'[^']*'|\S+/g) ?? []
  const redirection = words.findIndex((word) => /^\d?>/.test(word))
  return redirection < 0 ? words : words.slice(0, redirection)
}
