import assert from 'node:assert/strict'
import { Reputation } from '../../../../lab/poison/reputation.ts'
import type { LoraAdapter } from '../../../../src/adapter/index.ts'
import { evaluator, updateOf } from './told-harms.ts'

describe('the reputation of authors in a poisoned federation', () => {
  /** Four members, the first of which poisons, that have sent these updates in each of some rounds. */
  const reputationAfter = async (rounds: number, ...updates: (LoraAdapter | undefined)[]) => {
    const reputation = new Reputation(
      [0, 1, 2, 3].map((index) => ({
        heldOut: index === 0 ? undefined : { ids: Int32Array.of(index, 0), weights: Uint8Array.of(0, 1) }
      }))
    )
    const sent = updates.map(
      (adapter, index) => adapter && { author: Uint8Array.of(index), samples: 1, adapter }
    )
    const measuring = {
      ...{ evaluator, clipNormOf: () => Number.POSITIVE_INFINITY },
      weights: { format: 'f32', feeds: new Map() } as const
    }
    for (let round = 0; round < rounds; round++) await reputation.note(sent, measuring)
    return reputation
  }
  const harmless = updateOf(0, 0, 0, 0)

  it('adds up what an update does at its share, as the median of the others reports it', async () => {
    const reputation = await reputationAfter(2, updateOf(9, 0.04, 0.4, 0.08), harmless, harmless, harmless)
    assert(Math.abs(reputation.harmOf(0) - 2 * 0.02) < 1e-6)
    assert.deepEqual(reputation.leftOut(), [0])
  })

  it('leaves out nobody for a little, nor for what others do as well', async () => {
    assert.deepEqual(
      (await reputationAfter(1, updateOf(0, 0.05, 0.05, 0.05), harmless, harmless, harmless)).leftOut(),
      []
    )
    const harmful = updateOf(0, 0.1, 0.1, 0.1)
    const less = updateOf(0, 0.06, 0.06, 0.06)
    assert.deepEqual((await reputationAfter(5, harmful, less, harmless, harmless)).leftOut(), [])
  })

  it('lets a poisoner that reports the worst of an honest member do no more than the most harmed of the others', async () => {
    const reputation = await reputationAfter(1, harmless, harmless, updateOf(0, 0.04, 0, 0.08), harmless)
    assert(Math.abs(reputation.harmOf(2) - 0.02) < 1e-6)
  })

  it('takes a loss that is no number for the greatest harm, and measures nothing that is not sound', async () => {
    const broken = updateOf(0, Number.NaN, Number.NaN, Number.NaN)
    assert.deepEqual((await reputationAfter(1, broken, undefined, harmless, harmless)).leftOut(), [0])
  })
})
