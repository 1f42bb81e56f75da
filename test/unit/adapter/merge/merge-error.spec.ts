import assert from 'node:assert/strict'
import fc from 'fast-check'
import { mergePair } from '../../../../src/adapter/merge/merge.ts'
import { factorFault, factorNorm, factorNormBound } from '../../../../src/adapter/norm/factor-bounds.ts'
import { updateNorm } from '../../../../src/adapter/norm/norm.ts'
import type { LoraPair } from '../../../../src/adapter/pair/lora-adapter.ts'
import { loraScale } from '../../../../src/adapter/pair/lora-scale.ts'
import { type StackMember, stackAdapters } from '../../../../src/adapter/stack/stack.ts'
import { cappedSamples, shares as sharesOf } from '../../../../src/adapter/stack/weights.ts'

const IN = 3
const OUT = 3
/** Half of a float32's last place, relative: u in docs/spec/aggregation.md. */
const UNIT = 2 ** -24
const BOUND = 1

/** One column of B and one row of A, and what the attacker sends: itself, or itself and its negative. */
const term = fc.record({
  a: fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: IN, maxLength: IN }),
  b: fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: OUT, maxLength: OUT }),
  exponentA: fc.integer({ min: -40, max: 40 }),
  exponentB: fc.integer({ min: -40, max: 40 }),
  isCancelled: fc.boolean()
})

/** A member's pair, scaled until its factors or its update are as large as the bounds allow. */
const endorsedPair = fc
  .record({
    terms: fc.array(term, { minLength: 1, maxLength: 4 }),
    alpha: fc.integer({ min: 1, max: 64 }),
    share: fc.constantFrom(1, 0.999, 0.5, 1e-3)
  })
  .map(({ terms, alpha, share }): LoraPair => {
    const rows = terms.flatMap(({ a, b, exponentA, exponentB, isCancelled }) => {
      const row = { a: a.map((x) => x * 2 ** exponentA), b: b.map((x) => x * 2 ** exponentB) }
      return isCancelled ? [row, { a: row.a, b: row.b.map((x) => -x) }] : [row]
    })
    const rank = rows.length
    const pair = {
      module: 'm',
      rank,
      alpha,
      inFeatures: IN,
      outFeatures: OUT,
      A: Float32Array.from(rows.flatMap(({ a }) => a)),
      B: Float32Array.from({ length: OUT * rank }, (_, i) => rows[i % rank]!.b[Math.floor(i / rank)]!)
    }
    const room = Math.min(
      factorNormBound(rank, BOUND) / factorNorm(pair),
      BOUND / Math.max(updateNorm(pair), Number.MIN_VALUE)
    )
    const factor = Number.isFinite(room) ? Math.fround(room * share * (1 - 1e-6)) : 1
    return { ...pair, A: pair.A.map((x) => x * factor) }
  })
  .filter((pair) => factorFault(pair, BOUND) === undefined && updateNorm(pair) <= BOUND)

const endorsedCut = fc
  .array(fc.record({ pair: endorsedPair, samples: fc.integer({ min: 1, max: 1000 }) }), {
    minLength: 1,
    maxLength: 5
  })
  .map((members) =>
    members.map(
      ({ pair, samples }, k): StackMember => ({
        author: Uint8Array.of(k),
        samples,
        adapter: { pairs: [pair] }
      })
    )
  )

const weight = fc
  .array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: OUT * IN, maxLength: OUT * IN })
  .map((values) => Float32Array.from(values))

/** Σ p s B A in float64, whose own rounding is 2^-29 of what is looked for, and the same of the magnitudes. */
function exactSum(members: readonly StackMember[]): { sum: Float64Array; magnitudes: Float64Array } {
  const parts = sharesOf(cappedSamples(members.map(({ samples }) => samples)))
  const sum = new Float64Array(OUT * IN)
  const magnitudes = new Float64Array(OUT * IN)
  for (const [k, { adapter }] of members.entries()) {
    const pair = adapter.pairs[0]!
    for (let i = 0; i < OUT * IN; i++) {
      const [row, column] = [Math.floor(i / IN), i % IN]
      for (let l = 0; l < pair.rank; l++) {
        const product = pair.B[row * pair.rank + l]! * pair.A[l * IN + column]!
        sum[i]! += parts[k]! * loraScale(pair) * product
        magnitudes[i]! += parts[k]! * loraScale(pair) * Math.abs(product)
      }
    }
  }
  return { sum, magnitudes }
}

/** γ_n = n·u / (1 − n·u), the bound on n roundings in a row (Higham, lemma 3.1). */
const gamma = (roundings: number) => (roundings * UNIT) / (1 - roundings * UNIT)

describe('the merge error', () => {
  it('is within the stated bound of the exact sum of endorsed shards, element by element', () => {
    let worst = 0
    fc.assert(
      fc.property(endorsedCut, weight, (members, before) => {
        const stack = stackAdapters(members)
        assert(stack.finite)
        const after = mergePair(before, stack.adapter.pairs[0]!)
        const { sum, magnitudes } = exactSum(members)
        const rank = stack.ranks.get('m')!
        const underflow = rank * 2 ** -80
        for (let i = 0; i < after.length; i++) {
          const error = Math.abs(after[i]! - (before[i]! + sum[i]!))
          const allowed = gamma(rank + 3) * magnitudes[i]! + UNIT * Math.abs(before[i]! + sum[i]!) + underflow
          worst = Math.max(worst, error / allowed)
          assert(error <= allowed * (1 + 1e-6), `element ${i}: ${error} > ${allowed}`)
        }
      }),
      { numRuns: 2000 }
    )
    // A bound that nothing approaches would be meaningless.
    assert(worst > 0.05, `the worst is ${worst} of the bound`)
  })

  it('is at most γ times 4·√r times the norm bound over all elements', () => {
    fc.assert(
      fc.property(endorsedCut, (members) => {
        const stack = stackAdapters(members)
        const after = mergePair(new Float32Array(OUT * IN), stack.adapter.pairs[0]!)
        const { sum } = exactSum(members)
        const apart = Math.hypot(...after.map((value, i) => value - sum[i]!))
        const ranks = members.map(({ adapter }) => adapter.pairs[0]!.rank)
        const allowed = gamma(stack.ranks.get('m')! + 3) * 4 * Math.sqrt(Math.max(...ranks)) * BOUND
        assert(apart <= allowed + 2 ** -70, `${apart} > ${allowed}`)
      }),
      { numRuns: 2000 }
    )
  })

  it('exceeds the bound by far when cancelling factors are let through', () => {
    const pairOf = (A: number[], B: number[], rank: number): LoraPair => ({
      module: 'm',
      rank,
      alpha: rank,
      inFeatures: 1,
      outFeatures: 1,
      A: Float32Array.from(A),
      B: Float32Array.from(B)
    })
    const cut = [pairOf([0.5], [0.5], 1), pairOf([2 ** 40, 2 ** 40], [1, -1], 2)].map((pair, k) => ({
      author: Uint8Array.of(k),
      samples: 1,
      adapter: { pairs: [pair] }
    }))
    // The honest member's 0.125 is gone.
    assert.deepEqual([...mergePair(new Float32Array(1), stackAdapters(cut).adapter.pairs[0]!)], [0])
    assert.notEqual(factorFault(cut[1]!.adapter.pairs[0]!, 1e3), undefined)
  })
})
