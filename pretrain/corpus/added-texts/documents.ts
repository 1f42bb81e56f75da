import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cutText, type TextDocument } from '../../../src/data/index.ts'
import { maskAddresses, normaliseWhitespace, unwrapParagraphs } from '../packages/index.ts'
import { ADDED_SOURCES, type AddedSourceName } from './sources.ts'

/** Maximum document length, equal to that of speeches in the base text. */
const DOCUMENT_CHARACTERS = 6000
/**
 * Shorter sections, such as lines of tables of contents and headings of dictionaries, are merged into the next section.
 */
const SHORTEST_SECTION = 200

/**
 * The documents of one added source, in its own order: sections of a book (chapters, if it marks them), none longer
 * than 6,000 characters.
 *
 * @param folder with the fetched texts @throws {Error} if the source was not fetched
 */
export function loadAddedDocuments(folder: string, name: AddedSourceName): TextDocument[] {
  let files: string[]
  try {
    files = readdirSync(join(folder, name)).sort()
  } catch (cause) {
    throw new Error(`${folder} does not contain ${name}: fetch it with npm run pretrain -- texts`, { cause })
  }
  return files.flatMap((file) => {
    const book = file.replace(/\.txt$/, '')
    return sectionsOf(name, readFileSync(join(folder, name, file), 'utf8')).flatMap(({ place, text }) =>
      cutText(text, DOCUMENT_CHARACTERS).map((piece, index) => ({
        id: `${name}/${book}/${place}/${index + 1}`,
        text: piece
      }))
    )
  })
}

/** The section to which a document belongs. */
export function addedSectionOf({ id }: TextDocument): string {
  return id.slice(0, id.lastIndexOf('/'))
}

export function heldOutCharactersOf(name: AddedSourceName): number {
  return ADDED_SOURCES.find((source) => source.name === name)!.heldOutCharacters
}

interface Section {
  readonly place: string
  readonly text: string
}

/** Splits a fetched file of a source into sections of clean text. */
export function sectionsOf(name: AddedSourceName, text: string): Section[] {
  switch (name) {
    case 'king-james-bible':
      return chaptersOfVerses(text)
    case 'jargon-file':
      return numbered(cutText(normaliseWhitespace(maskAddresses(jargonBody(text))), DOCUMENT_CHARACTERS))
    case 'devils-dictionary':
      return numbered(cutText(normaliseWhitespace(afterPreface(text)), DOCUMENT_CHARACTERS))
    case 'opticks':
      return numbered(
        cutText(
          unwrapParagraphs(text.slice(text.indexOf('OPTICKS:')).replaceAll('_', '')),
          DOCUMENT_CHARACTERS
        )
      )
    case 'jane-austen':
    case 'tom-sawyer':
      return numbered(
        text
          .replace(/\n\s*End of the Project Gutenberg[\s\S]*$/i, '')
          .replace(/\n\s*(THE END|FINIS)\s*$/i, '')
          .split(/^(?=\s*chapter\s+[\divxlc]+\b)/im)
          .map((chapter) => unwrapParagraphs(chapter.replaceAll('_', '')))
          .filter((chapter) => chapter.length >= SHORTEST_SECTION && !/^produced by/i.test(chapter))
      )
  }
}

function numbered(texts: readonly string[]): Section[] {
  return texts.map((text, index) => ({ place: String(index + 1), text }))
}

/** Verses are one per line, after book, chapter and number (`Ge1:1 In the beginning …`); a chapter is one section. */
function chaptersOfVerses(text: string): Section[] {
  const chapters = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const match = /^(\d?[A-Za-z]+)(\d+):\d+ (.+)$/.exec(line)
    if (match === null) continue
    const place = `${match[1]}-${match[2]}`
    chapters.set(place, [...(chapters.get(place) ?? []), match[3]!])
  }
  return Array.from(chapters, ([place, verses]) => ({ place, text: normaliseWhitespace(verses.join('\n')) }))
}

/** Without the table of contents and the list of all entries; cross-references lose their braces. */
function jargonBody(text: string): string {
  const start = text.search(/^ {3}:\/dev\/null:|^ {3}:[^:\n]+: /m)
  return text.slice(Math.max(start, 0)).replace(/[{}]/g, '').replace(/^ {3}/gm, '')
}

function afterPreface(text: string): string {
  return text.slice(Math.max(text.indexOf('PREFACE'), 0)).replaceAll(/[{}_]/g, '')
}
