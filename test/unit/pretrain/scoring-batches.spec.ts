import assert from 'node:assert/strict'
import fc from 'fast-check'
import { scoringBatches } from '../../../pretrain/scoring-batches.ts'

describe('scripts/pretrain/scoring-batches', () => {
  it('scores every token but each sequence’s first exactly once, after the token before it', () => {
    const sequences = fc.array(fc.array(fc.nat(500), { maxLength: 25 }), { maxLength: 6 })
    fc.assert(
      fc.property(
        sequences,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 9 }),
        (documents, rows, length) => {
          const scored: [number, number][] = []
          for (const { inputIds, targetIds, targetWeights } of scoringBatches(documents, rows, length)) {
            assert.equal(inputIds.length, rows * length)
            targetWeights.forEach((weight, index) => {
              if (weight === 1) scored.push([inputIds[index]!, targetIds[index]!])
            })
          }
          const pairs = documents.flatMap((ids) =>
            ids.slice(1).map((id, index): [number, number] => [ids[index]!, id])
          )
          assert.deepEqual(scored, pairs)
        }
      )
    )
  })
})
