import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeUtf8, readJsonObject } from '../../../../src/formats/index.ts'

describe('text files', () => {
  let folder: string
  const write = (content: string | Uint8Array): string => {
    const path = join(folder, 'file.json')
    writeFileSync(path, content)
    return path
  }
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-text-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('are read without their byte order mark', () => {
    assert.deepEqual(readJsonObject(write('\uFEFF{"a": "é"}')), { a: 'é' })
    assert.equal(decodeUtf8(new TextEncoder().encode('plain'), 'x'), 'plain')
  })

  it('in other encodings are reported by name', () => {
    const text = '{"a": 1}'
    for (const bytes of [
      Buffer.from(`\uFEFF${text}`, 'utf16le'),
      Buffer.from(text, 'utf16le'),
      Buffer.from(text, 'utf16le').swap16()
    ])
      assert.throws(() => readJsonObject(write(bytes)), /file\.json:1: is UTF-16.*save it as UTF-8/)
    assert.throws(
      () => readJsonObject(write(Buffer.from('{"a": "é"}', 'latin1'))),
      /file\.json:1: is not UTF-8/
    )
  })

  it('that replace the intended file are reported with a remedy', () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n'
    assert.throws(() => readJsonObject(write(pointer)), /file\.json is a Git LFS pointer.*git lfs pull/)
    assert.throws(
      () => readJsonObject(write('<!DOCTYPE html><p>Sign in')),
      /file\.json is a web page.*download it again/
    )
    assert.throws(() => readJsonObject(write('[1]')), /must contain one JSON object/)
  })
})
