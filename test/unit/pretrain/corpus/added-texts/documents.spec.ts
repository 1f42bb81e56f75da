import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  addedSectionOf,
  loadAddedDocuments,
  sectionsOf
} from '../../../../../pretrain/corpus/added-texts/documents.ts'

const PARAGRAPH =
  'It was a quiet afternoon, and nobody on the river had\nanything to do but to watch the barges go by, one after another.'
const CHAPTER = `${PARAGRAPH}\n\n${PARAGRAPH}`

describe('pretrain/corpus/added-texts/documents', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-texts-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  function write(source: string, file: string, text: string): void {
    mkdirSync(join(folder, source), { recursive: true })
    writeFileSync(join(folder, source, file), text)
  }

  it('divides a novel at its chapters and unwraps its lines', () => {
    const novel = `A NOVEL\n\nby somebody\n\n\nCHAPTER 1\n\n\n${CHAPTER}\n\nChapter II\n\n_${CHAPTER}_\n\n\nTHE END\n`
    const sections = sectionsOf('jane-austen', novel)
    const unwrapped = PARAGRAPH.replace('\n', ' ')
    assert.deepEqual(sections, [
      { place: '1', text: `CHAPTER 1\n\n${unwrapped}\n\n${unwrapped}` },
      { place: '2', text: `Chapter II\n\n${unwrapped}\n\n${unwrapped}` }
    ])
  })

  it('drops the notice at the end of a digitised book', () => {
    const [chapter, ...others] = sectionsOf(
      'tom-sawyer',
      `CHAPTER I\n\n${CHAPTER}\n\n\nEnd of the Project Gutenberg EBook of a book\n\nwith more\n`
    )
    assert.ok(chapter!.text.endsWith('one after another.'))
    assert.deepEqual(others, [])
  })

  it('collects the verses of a chapter, without their numbers and other output of the reader', () => {
    const printed =
      'bible: Release 4\nGe1:1 In the beginning.\nGe1:2 And the earth.\nGe2:1 Thus the heavens.\n1Sm2:3 Talk no more.\n\n'
    assert.deepEqual(sectionsOf('king-james-bible', printed), [
      { place: 'Ge-1', text: 'In the beginning.\nAnd the earth.' },
      { place: 'Ge-2', text: 'Thus the heavens.' },
      { place: '1Sm-2', text: 'Talk no more.' }
    ])
  })

  it('starts the glossary at its first entry, drops braces and margins, masks addresses', () => {
    const [section] = sectionsOf(
      'jargon-file',
      '   Contents\n\n   foo\n\n   :foo: /foo/\n\n   1. A {metasyntactic variable};\n   write to foo@example.org.\n\n   :bar:\n'
    )
    assert.equal(section!.text, ':foo: /foo/\n\n1. A metasyntactic variable;\nwrite to <email>.\n\n:bar:')
  })

  it('names documents by source, book, section and piece, none longer than 6,000 characters', () => {
    write('jane-austen', 'emma.txt', `CHAPTER I\n\n${Array(80).fill(PARAGRAPH).join('\n\n')}\n`)
    const documents = loadAddedDocuments(folder, 'jane-austen')
    assert.ok(documents.length > 1 && documents.every(({ text }) => text.length <= 6000))
    assert.deepEqual(
      documents.map(({ id }) => id),
      documents.map((_, index) => `jane-austen/emma/1/${index + 1}`)
    )
    assert.equal(new Set(documents.map(addedSectionOf)).size, 1)
  })

  it('says what to do when a source was not fetched', () => {
    assert.throws(
      () => loadAddedDocuments(folder, 'opticks'),
      /does not contain opticks: fetch it with npm run pretrain -- texts/
    )
  })
})
