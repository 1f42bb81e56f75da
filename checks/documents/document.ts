import GithubSlugger from 'github-slugger'
import { marked, type Token, type Tokens } from 'marked'

/** Something that a document quotes, and its line. */
export interface Quote {
  readonly text: string
  /** Counted from 1. */
  readonly line: number
}

/** A fenced block; `language` is all that stands behind the fence. */
export interface Block extends Quote {
  readonly language: string
}

/** A table by its cells' Markdown, with the line of its header. */
export interface Table {
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly line: number
}

/** The parts of a Markdown document that are checked. */
export interface Document {
  /** Relative to the repository's root, with `/`. */
  readonly path: string
  readonly text: string
  /** Inline code. */
  readonly spans: readonly Quote[]
  readonly blocks: readonly Block[]
  /** Targets of links and images. */
  readonly links: readonly Quote[]
  readonly tables: readonly Table[]
  /** Valid targets for a link's `#…`: headings as GitHub turns them into anchors. */
  readonly anchors: ReadonlySet<string>
}

/** Reads a Markdown document (GitHub's flavour). */
export function readDocument(path: string, text: string): Document {
  const spans: Quote[] = []
  const blocks: Block[] = []
  const links: Quote[] = []
  const tables: Table[] = []
  const anchors = new Set<string>()
  const slugger = new GithubSlugger()
  const lineAt = createLineFinder(text)
  marked.walkTokens(marked.lexer(text), (token: Token) => {
    const line = lineAt(token.raw)
    if (token.type === 'codespan') spans.push({ text: token.text, line })
    else if (token.type === 'code') blocks.push({ text: token.text, language: token.lang ?? '', line })
    else if (token.type === 'link' || token.type === 'image') links.push({ text: token.href, line })
    else if (token.type === 'heading') anchors.add(slugger.slug(plainText(token.tokens ?? [])))
    else if (token.type === 'table') tables.push({ ...cellsOf(token as Tokens.Table), line })
  })
  return { path, text, spans, blocks, links, tables, anchors }
}

/** The inline code of a piece of Markdown. */
export function codeOf(markdown: string): string[] {
  const codes: string[] = []
  marked.walkTokens(marked.Lexer.lexInline(markdown), (token: Token) => {
    if (token.type === 'codespan') codes.push(token.text)
  })
  return codes
}

function cellsOf({ header, rows }: Tokens.Table): Pick<Table, 'header' | 'rows'> {
  return { header: header.map(({ text }) => text), rows: rows.map((row) => row.map(({ text }) => text)) }
}

function plainText(tokens: readonly Token[]): string {
  return tokens
    .map((token) =>
      'tokens' in token && token.tokens !== undefined
        ? plainText(token.tokens)
        : 'text' in token
          ? String(token.text)
          : ''
    )
    .join('')
}

/** Tokens are in the order of the text, so each is searched for after the previous one. */
function createLineFinder(text: string): (raw: string) => number {
  let offset = 0
  let line = 1
  return (raw) => {
    const found = text.indexOf(raw, offset)
    if (found < 0) return line
    for (let at = offset; at < found; at++) if (text[at] === '\n') line++
    offset = found
    return line
  }
}
