import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadTokenizer } from '../../../../src/model/index.ts'

describe('a folder without a usable tokenizer', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-tokenizer-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  for (const [files, message] of [
    [[], /tokenizer\.json is missing: copy it/],
    [['tokenizer.model'], /only tokenizer\.model \(a SentencePiece model\).*use_fast=True/],
    [
      ['vocab.json', 'merges.txt'],
      /only vocab\.json and merges\.txt \(a vocabulary with merges\).*save_pretrained/
    ]
  ] as const) {
    it(`is refused with advice: ${files.join(' and ') || 'none'}`, () => {
      for (const file of files) writeFileSync(join(folder, file), '{}')
      assert.throws(() => loadTokenizer(folder), message)
    })
  }
})
