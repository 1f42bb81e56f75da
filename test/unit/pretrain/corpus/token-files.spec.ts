import assert from 'node:assert/strict'
import fc from 'fast-check'
import { encodeTokens } from '../../../../pretrain/corpus/token-files.ts'

describe('pretrain/token-files', () => {
  it('separates documents by their first id', () => {
    const documents = fc.array(fc.array(fc.integer({ min: 1, max: 0xffff }), { maxLength: 9 }), {
      maxLength: 6
    })
    fc.assert(
      fc.property(documents, (texts) => {
        const sequences = texts.map((ids) => [0, ...ids])
        const bytes = Buffer.from(encodeTokens(sequences, 0))
        const read: number[][] = []
        for (let offset = 0; offset < bytes.length; offset += 2) {
          const id = bytes.readUInt16LE(offset)
          if (id === 0) read.push([])
          read.at(-1)!.push(id)
        }
        assert.deepEqual(read, sequences)
      })
    )
  })

  it('refuses a document that does not start with the id, or contains it again', () => {
    assert.throws(() => encodeTokens([[5, 6]], 0), /token 0 of a document is 5/)
    assert.throws(() => encodeTokens([[0, 6, 0]], 0), /token 2 of a document is 0/)
  })

  it('refuses an id that 16 bits cannot hold', () => {
    assert.throws(() => encodeTokens([[0, 65_536]], 0), /65536 does not fit into 16 bits/)
  })
})
