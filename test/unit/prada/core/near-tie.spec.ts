import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createSeededRandom } from '../../../../src/data/order/seeded-random.ts'
import { decide, isNearTie, judge, partialRow } from '../../../../src/prada/core/index.ts'
import { anySettings, randomPosition, SETTINGS } from '../arbitraries.ts'

const SIZE = 60

describe('near ties', () => {
  it('include every position that an error within the tolerance could decide otherwise', () => {
    let changed = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        anySettings,
        fc.constantFrom(0.001, 0.01, 0.1),
        fc.constantFrom(8, SIZE),
        (seed, settings, error, topK) => {
          const { row, scoring } = randomPosition(seed, SIZE, settings)
          const part = partialRow(row, { topK })
          const verdict = judge(part, scoring)
          if (verdict.kind !== 'certain' || isNearTie(part, scoring, verdict.id, error)) return
          const random = createSeededRandom(seed)
          for (let tries = 0; tries < 10; tries++) {
            const other = row.map((value) => value + (random.uniform() < 0.5 ? error : -error))
            assert.equal(decide(other, scoring), verdict.id)
            changed++
          }
        }
      ),
      { numRuns: 1_000 }
    )
    assert.ok(changed > 3_000, `${changed} positions were not near ties`)
  })

  it('are none without an error, and few with a small one', () => {
    let near = 0
    for (let seed = 0; seed < 500; seed++) {
      const { row, scoring } = randomPosition(seed, SIZE, SETTINGS['T = 0.7, top-p 0.9']!)
      const part = partialRow(row, { topK: SIZE })
      const id = decide(row, scoring)
      assert.ok(!isNearTie(part, scoring, id, 0))
      if (isNearTie(part, scoring, id, 1e-2)) near++
    }
    assert.ok(near > 0 && near < 100, `${near} of 500`)
  })
})
