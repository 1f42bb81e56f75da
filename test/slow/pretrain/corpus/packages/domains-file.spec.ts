import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { brotliDecompressSync } from 'node:zlib'
import { domainLines } from '../../../../../pretrain/corpus/packages/domains-file.ts'
import { domainsFile } from '../../../../../src/data/index.ts'

describe('pretrain/corpus/packages/domains-file', () => {
  it('ships the text of the packages, byte for byte', async () => {
    const shipped = brotliDecompressSync(await readFile(domainsFile()))
    assert.equal(sha256(shipped), sha256(await domainLines()))
  })
})

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
