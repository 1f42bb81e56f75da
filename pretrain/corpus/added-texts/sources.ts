/** A public-domain text from a Debian package that is fetched to pretrain a larger model. */
export interface AddedSource {
  readonly name: AddedSourceName
  readonly title: string
  /** Debian package (bookworm) that contains it. */
  readonly debianPackage: string
  /** Why the text is in the public domain. */
  readonly licence: string
  /** Whole sections are held out until they have this many characters. */
  readonly heldOutCharacters: number
}

export const ADDED_SOURCE_NAMES = [
  'jane-austen',
  'king-james-bible',
  'jargon-file',
  'devils-dictionary',
  'opticks',
  'tom-sawyer'
] as const

export type AddedSourceName = (typeof ADDED_SOURCE_NAMES)[number]

/** In the order in which they are fetched, read and listed. */
export const ADDED_SOURCES: readonly AddedSource[] = [
  {
    name: 'jane-austen',
    title: "Jane Austen's six novels (1811–1817)",
    debianPackage: 'r-cran-janeaustenr',
    licence: 'public domain: published 1811–1817',
    heldOutCharacters: 60_000
  },
  {
    name: 'king-james-bible',
    title: 'the King James Version of the Bible (1611)',
    debianPackage: 'bible-kjv-text',
    licence: 'public domain: published 1611 (in the United Kingdom under a perpetual Crown patent)',
    heldOutCharacters: 60_000
  },
  {
    name: 'jargon-file',
    title: 'the Jargon File 4.4.7, a glossary of hacker slang (2003)',
    debianPackage: 'jargon-text',
    licence: 'public domain: so declared by its editors',
    heldOutCharacters: 40_000
  },
  {
    name: 'devils-dictionary',
    title: "Ambrose Bierce's Devil's Dictionary (1911)",
    debianPackage: 'dict-devil',
    licence: 'public domain: published 1911',
    heldOutCharacters: 12_000
  },
  {
    name: 'opticks',
    title: "Isaac Newton's Opticks, fourth edition (1730)",
    debianPackage: 'golang-1.19-src',
    licence: 'public domain: published 1730',
    heldOutCharacters: 12_000
  },
  {
    name: 'tom-sawyer',
    title: "Mark Twain's Adventures of Tom Sawyer (1876)",
    debianPackage: 'golang-github-klauspost-compress-dev',
    licence: 'public domain: published 1876',
    heldOutCharacters: 12_000
  }
]
