import assert from 'node:assert/strict'
import { endorsedByQuorum } from '../../../../lab/poison/endorsements.ts'
import type { PoisonAttack } from '../../../../lab/poison/poison-attacks.ts'
import type { LoraAdapter } from '../../../../src/adapter/index.ts'
import { evaluator, updateOf } from './told-harms.ts'

const MARGIN = 0.5

describe('endorsements in a poisoned federation', () => {
  /** The authors endorsed by four members, the first of which is a poisoner. */
  const endorsed = async (updates: readonly (LoraAdapter | undefined)[], attack: PoisonAttack) => {
    const judges = [0, 1, 2, 3].map((index) => ({
      heldOut: index === 0 ? undefined : { ids: Int32Array.of(index, 0), weights: Uint8Array.of(0, 1) }
    }))
    const sent = updates.map(
      (adapter, index) => adapter && { author: Uint8Array.of(index), samples: 1, adapter }
    )
    const judging = {
      ...{ evaluator, margin: MARGIN, attack, clipNormOf: () => Number.POSITIVE_INFINITY },
      weights: { format: 'f32', feeds: new Map() } as const
    }
    return (await endorsedByQuorum(sent, judges, judging)).map(({ author }) => author[0])
  }
  const harmless = updateOf(0, 0, 0, 0)

  it('exclude only what more than f honest members find harmful', async () => {
    const twice = updateOf(0, 1, 1, 0)
    assert.deepEqual(await endorsed([twice, harmless, harmless, harmless], 'adaptive'), [1, 2, 3])
  })

  it('include what harms one member alone, as its refusal leaves a quorum', async () => {
    const targeted = updateOf(0, 2, 0, 0)
    assert.deepEqual(await endorsed([targeted, harmless, harmless, harmless], 'targeted'), [0, 1, 2, 3])
  })

  it('need every honest member when colluders refuse honest updates', async () => {
    const unlike = updateOf(0, 0, 0, 0.6)
    assert.deepEqual(await endorsed([harmless, harmless, unlike, harmless], 'adaptive'), [0, 1, 2, 3])
    assert.deepEqual(await endorsed([harmless, harmless, unlike, harmless], 'colluding'), [0, 1, 3])
  })

  it('are withheld from unsound updates and from losses that are not numbers', async () => {
    const broken = updateOf(0, Number.NaN, Number.NaN, Number.NaN)
    assert.deepEqual(await endorsed([broken, undefined, harmless, harmless], 'adaptive'), [2, 3])
  })
})
