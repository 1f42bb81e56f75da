import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  BlockListHash,
  blockListBytes,
  blockListDigest,
  FILE_BLOCK_BYTES,
  fileBlocks,
  LISTED_FILE_BYTES_MAX,
  readBlockList,
  sha256Hex
} from '../../../../src/formats/index.ts'
import { listedDigest } from './listed-digest.ts'

const MIB = 1024 * 1024

describe('the block list of a file', () => {
  it('is the same for any chunking of the input, and names every block', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 * MIB + 5 }),
        fc.array(fc.integer({ min: 1, max: 2 * MIB }), { maxLength: 8 }),
        (length, cuts) => {
          const bytes = Buffer.alloc(length, 'some bytes ')
          const hash = new BlockListHash()
          let begin = 0
          for (const cut of cuts) {
            hash.update(bytes.subarray(begin, begin + cut))
            begin = Math.min(length, begin + cut)
          }
          hash.update(bytes.subarray(begin))
          const list = hash.list()
          assert.equal(hash.bytes, length)
          assert.equal(list.length, blockListBytes(length))
          assert.deepEqual(Buffer.from(blockListDigest(list)), listedDigest(bytes))
          const blocks = fileBlocks(length, list)
          assert.equal(
            blocks.reduce((sum, block) => sum + block.bytes, 0),
            length
          )
          for (const { digest, offset, bytes: size } of blocks)
            assert.equal(digest, sha256Hex(bytes.subarray(offset, offset + size)))
        }
      ),
      { numRuns: 20 }
    )
  })

  it('is read from a file, and fits into one block even for the largest', async () => {
    assert.equal(blockListBytes(LISTED_FILE_BYTES_MAX), FILE_BLOCK_BYTES)
    const folder = await mkdtemp(join(tmpdir(), 'loam-list-'))
    try {
      const path = join(folder, 'file')
      const bytes = Buffer.alloc(2 * MIB + 1, 'more bytes ')
      await writeFile(path, bytes)
      const file = await readBlockList(path)
      assert.deepEqual([file.path, file.bytes, file.list.length], [path, bytes.length, 96])
      assert.deepEqual(Buffer.from(blockListDigest(file.list)), listedDigest(bytes))
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
