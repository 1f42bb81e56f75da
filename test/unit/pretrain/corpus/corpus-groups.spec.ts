import assert from 'node:assert/strict'
import fc from 'fast-check'
import { splitSections } from '../../../../pretrain/corpus/corpus-groups.ts'

describe('pretrain/corpus-groups', () => {
  const sections = fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 12
  })

  it('holds out whole sections, as few as reach the requested number of characters', () => {
    fc.assert(
      fc.property(sections, fc.integer({ min: 0, max: 400 }), (lengths, characters) => {
        const documents = lengths.flatMap((pieces, section) =>
          pieces.map((length, piece) => ({
            id: `book/part/${section}/${piece + 1}`,
            text: 'x'.repeat(length)
          }))
        )
        const { train, heldOut } = splitSections(documents, characters)
        const sectionsOf = (part: readonly { id: string }[]): Set<string> =>
          new Set(part.map(({ id }) => id.split('/')[2]!))
        const held = sectionsOf(heldOut)
        assert.ok([...sectionsOf(train)].every((section) => !held.has(section)))
        assert.equal(train.length + heldOut.length, documents.length)
        const sizes = [...held].map((section) =>
          lengths[Number(section)]!.reduce((sum, size) => sum + size, 0)
        )
        const total = sizes.reduce((sum, size) => sum + size, 0)
        assert.ok(total >= characters || train.length === 0)
        // Without one of them it would have been too little.
        if (held.size > 0) assert.ok(total - Math.max(...sizes) < characters)
      })
    )
  })

  it('holds out the same sections each time', () => {
    const documents = Array.from({ length: 30 }, (_, index) => ({ id: `book/a/${index}/1`, text: 'xyz' }))
    assert.deepEqual(splitSections(documents, 20), splitSections(documents, 20))
  })
})
