import assert from 'node:assert/strict'
import {
  concatenateAdapters,
  type LoraAdapter,
  type LoraPair,
  pairFromBlocks,
  type ShardDtype,
  updateNorm
} from '../../../../src/adapter/index.ts'
import { sendAdapter } from '../../../../src/adapter/shard/error-feedback.ts'

/** Deterministic numbers in [-1, 1). */
function numbers(seed: number, length: number): Float32Array {
  let state = seed >>> 0
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  })
}

const [IN, OUT, RANK, ALPHA] = [24, 20, 3, 6]

function trained(seed: number, rank = RANK): LoraAdapter {
  const A = numbers(2 * seed + 1, rank * IN)
  const B = numbers(2 * seed + 2, OUT * rank)
  return { pairs: [{ module: 'm', rank, alpha: ALPHA, inFeatures: IN, outFeatures: OUT, A, B }] }
}

/** Σ sign · scale · B·A, as one pair of scale 1. */
function sum(...terms: readonly (readonly [LoraAdapter, number])[]): LoraPair {
  return concatenateAdapters(
    terms.map(([{ pairs }, sign]) => ({
      pairs: pairs.map((pair) => {
        const factor = (sign * pair.alpha) / pair.rank
        return { ...pair, alpha: pair.rank, A: pair.A.map((value) => value * factor) }
      })
    }))
  ).pairs[0]!
}

describe('error feedback', () => {
  it('sends float32 unchanged, without a residual', () => {
    const adapter = trained(1)
    const sent = sendAdapter(adapter, 'f32', trained(2))
    assert.equal(sent.adapter, adapter)
    assert.deepEqual(sent.residual, { pairs: [] })
  })

  for (const dtype of ['bf16', 'int8'] as const) {
    it(`${dtype}: the receiver reads what was sent, and sent plus residual is the adapter plus the old residual`, () => {
      let residual: LoraAdapter | undefined
      for (let round = 0; round < 5; round++) {
        const adapter = trained(round)
        const sent = sendAdapter(adapter, dtype, residual)
        const [shard] = sent.shards
        const read = pairFromBlocks(
          shard!,
          shard!.blocks.map(({ bytes }) => bytes)
        )
        assert.deepEqual(read, sent.adapter.pairs[0])
        assert.deepEqual([read.rank, read.alpha], [RANK, ALPHA])
        const left = sum(
          [adapter, 1],
          ...(residual === undefined ? [] : [[residual, 1] as const]),
          [sent.adapter, -1],
          [sent.residual, -1]
        )
        // From the second round on the smallest parts of the residual are dropped: it has at most twice the rank.
        const bound = round === 0 ? 1e-5 : 0.02
        assert(updateNorm(left) <= bound * updateNorm(sum([adapter, 1])), `round ${round}`)
        assert(sent.residual.pairs[0]!.rank <= 2 * RANK)
        residual = sent.residual
      }
    })
  }

  it('int8: keeps the error of a sum of rounds at that of one round; without it the errors add up', () => {
    const adapter = trained(7)
    const rounds = 12
    const errorOf = (withFeedback: boolean) => {
      const terms: [LoraAdapter, number][] = []
      let residual: LoraAdapter | undefined
      for (let round = 0; round < rounds; round++) {
        const sent = sendAdapter(adapter, 'int8', withFeedback ? residual : undefined)
        terms.push([adapter, 1], [sent.adapter, -1])
        residual = sent.residual
      }
      return updateNorm(sum(...terms))
    }
    const one = updateNorm(sendAdapter(adapter, 'int8').residual.pairs[0]!)
    assert(errorOf(false) > 0.99 * rounds * one)
    assert(errorOf(true) < 2 * one, `${errorOf(true)} against ${one} of one round`)
  })

  it('works when rank or alpha change between rounds, and ignores a module of another shape', () => {
    const first = sendAdapter(trained(1, 5), 'int8')
    const next = trained(2, 2)
    const sent = sendAdapter(next, 'int8', first.residual)
    assert.equal(sent.adapter.pairs[0]!.rank, 2)
    const other = { pairs: [{ ...trained(3).pairs[0]!, outFeatures: 1, B: numbers(1, RANK) }] }
    assert.deepEqual(digests(sendAdapter(next, 'int8', other)), digests(sendAdapter(next, 'int8')))
    const zero = { pairs: [{ ...next.pairs[0]!, B: new Float32Array(2 * OUT) }] }
    for (const dtype of ['bf16', 'int8'] as ShardDtype[])
      assert.deepEqual(sendAdapter(zero, dtype).residual, { pairs: [] }, 'an update of zero loses nothing')
  })

  it('is reproducible bit for bit', () => {
    const { residual } = sendAdapter(trained(1), 'int8')
    const once = sendAdapter(trained(2), 'int8', residual)
    assert.deepEqual(digests(once), digests(sendAdapter(trained(2), 'int8', residual)))
  })
})

function digests({ shards }: ReturnType<typeof sendAdapter>): string[] {
  return shards.flatMap(({ blocks }) => blocks.map(({ digest }) => digest))
}
