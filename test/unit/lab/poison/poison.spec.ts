import assert from 'node:assert/strict'
import { type POISON_ATTACKS, poison } from '../../../../lab/poison/poison-attacks.ts'
import { POISON_DEFENCES, startDefence } from '../../../../lab/poison/poison-defences.ts'
import { type LoraAdapter, type LoraPair, updateNorm } from '../../../../src/adapter/index.ts'

function adapterOf(size: number): LoraAdapter {
  const pair: LoraPair = {
    module: 'm',
    rank: 1,
    alpha: 1,
    inFeatures: 2,
    outFeatures: 2,
    A: Float32Array.of(0.6, 0.8),
    B: Float32Array.of(size, 0)
  }
  return { pairs: [pair] }
}

const member = (author: number, adapter: LoraAdapter) => ({
  author: Uint8Array.of(author),
  samples: 10,
  adapter
})
const normOf = ({ pairs }: LoraAdapter) => updateNorm(pairs[0]!)

describe('poison', () => {
  const trained = adapterOf(2)
  const sent = (attack: (typeof POISON_ATTACKS)[number], round = 1, bound = 20) =>
    poison(trained, attack, { round, boundOf: () => bound, common: adapterOf(4) })

  it('that adapts stays just within the bound, directed against the others', () => {
    for (const attack of ['adaptive', 'colluding'] as const) {
      assert(Math.abs(normOf(sent(attack)) - 19.98) < 1e-4)
      assert(sent(attack).pairs[0]!.B[0]! < 0)
    }
    assert(Math.abs(normOf(sent('adaptive', 1, Number.POSITIVE_INFINITY)) - 60) < 1e-3)
  })

  it('of one round in five is honest in the other four', () => {
    const rounds = Array.from({ length: 10 }, (_, i) => sent('one-in-five', i + 1) !== trained)
    assert.deepEqual(
      rounds.flatMap((isPoisoned, i) => (isPoisoned ? [i + 1] : [])),
      [2, 7]
    )
  })

  it('that cancels has zero norm, and only the bound on factors refuses it', () => {
    const cut = [member(1, trained), member(2, sent('cancelling'))]
    assert.equal(normOf(cut[1]!.adapter), 0)
    for (const defence of POISON_DEFENCES) {
      const endorsed = startDefence(defence, 100).sound(cut).length
      assert.equal(
        endorsed,
        ['default', 'no-check', 'factor-bound', 'reputation'].includes(defence) ? 1 : 2,
        defence
      )
    }
  })

  it('faces bounds from the previous cut, or by default the least of five', () => {
    const bounds = POISON_DEFENCES.map((defence) => {
      const defending = startDefence(defence, 25)
      assert.equal(defending.boundOf('m'), defence === 'none' || defence === 'clip' ? Infinity : 25)
      for (const size of [1, 2]) defending.sealed([member(1, adapterOf(size)), member(2, adapterOf(9))])
      return [defence, Math.round(defending.boundOf('m'))]
    })
    assert.deepEqual(Object.fromEntries(bounds), {
      default: 10,
      'no-check': 10,
      none: Infinity,
      'norm-bound': 20,
      'factor-bound': 20,
      clip: Infinity,
      reputation: 10
    })
  })
})
