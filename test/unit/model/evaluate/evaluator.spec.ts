import assert from 'node:assert/strict'
import type { LoraAdapter } from '../../../../src/adapter/pair/lora-adapter.ts'
import {
  applyAdapter,
  createEvaluator,
  createSeededRandom,
  createTrainStep,
  type Evaluator,
  initialiseLlama,
  initialiseLora,
  loraNames
} from '../../../../src/model/index.ts'
import { assertClose } from '../close.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'

const CONTEXT = 6
const weights = initialiseLlama(TINY_CONFIG, 3)
const someIds = (length: number, seed = 1): number[] => {
  const random = createSeededRandom(seed)
  return Array.from({ length }, () => random.nextUint32() % TINY_CONFIG.vocabularySize)
}

/** An adapter that changes the model considerably, with one rank per module. */
function strongAdapter(ranks: Record<string, number>): LoraAdapter {
  const random = createSeededRandom(8)
  const pairs = Object.entries(ranks).flatMap(([module, rank]) =>
    initialiseLora(TINY_CONFIG, { rank, alpha: 2 * rank, targetModules: [module] }, rank)
  )
  for (const { B } of pairs) for (const index of B.keys()) B[index] = random.normal() * 0.1
  return { pairs }
}

describe('evaluator', () => {
  let evaluator: Evaluator
  before(async () => {
    evaluator = await createEvaluator({ config: TINY_CONFIG, context: CONTEXT })
  })
  after(() => evaluator.dispose())

  it('scores each token of a window but the first, given the tokens before it', async () => {
    // More windows than fit one run, the last one short.
    const ids = someIds(CONTEXT * 5 + 4)
    const { nats, tokens, perToken } = await evaluator.score({ weights, ids })
    assert.deepEqual(
      perToken.map(({ id }) => id),
      ids
    )
    assert.deepEqual(
      perToken.flatMap(({ logProb }, index) => (logProb === null ? [index] : [])),
      [0, 6, 12, 18, 24, 30]
    )
    assert.equal(tokens, 28)
    const sum = perToken.reduce((total, { logProb }) => total + (logProb ?? 0), 0)
    assert.ok(Math.abs(nats + sum / 28) < 1e-12)
    for (let start = 0; start < ids.length; start += CONTEXT) {
      const window = ids.slice(start, start + CONTEXT)
      const alone = await evaluator.score({ weights, ids: window })
      const inside = perToken.slice(start, start + CONTEXT)
      assertClose(
        alone.perToken.slice(1).map(({ logProb }) => logProb!),
        inside.slice(1).map(({ logProb }) => logProb!),
        1e-6,
        'window'
      )
    }
  })

  it('agrees with the training loss', async () => {
    const ids = someIds(CONTEXT)
    const step = await createTrainStep({
      config: TINY_CONFIG,
      trainable: { kind: 'all' },
      batchSize: 1,
      sequenceLength: CONTEXT - 1
    })
    const batch = {
      batchSize: 1,
      sequenceLength: CONTEXT - 1,
      inputIds: Int32Array.from(ids.slice(0, -1)),
      targetIds: Int32Array.from(ids.slice(1)),
      targetWeights: new Float32Array(CONTEXT - 1).fill(1)
    }
    const { loss } = await step.step(new Map([...weights].map(([name, { data }]) => [name, data])), batch)
    assertClose([(await evaluator.score({ weights, ids })).nats], [loss], 1e-6, 'nats')
    await step.dispose()
  })

  it('gives a probability distribution: the probabilities of all next tokens sum to 1', async () => {
    const start = someIds(3)
    const last = await Promise.all(
      Array.from({ length: TINY_CONFIG.vocabularySize }, async (_, id) => {
        const fresh = await createEvaluator({ config: TINY_CONFIG, context: 4 })
        const { perToken } = await fresh.score({ weights, ids: [...start, id] })
        await fresh.dispose()
        return Math.exp(perToken.at(-1)!.logProb!)
      })
    )
    assertClose([last.reduce((sum, probability) => sum + probability, 0)], [1], 1e-5, 'sum')
  })

  it('applies an adapter of mixed and large ranks as if it were merged', async () => {
    const adapter = strongAdapter({ q_proj: 3, v_proj: 90, down_proj: 8 })
    const ids = someIds(40)
    const adapted = await evaluator.score({ weights, adapter, ids })
    // Merged here, in float64.
    const merged = new Map(weights)
    for (const { module, rank, alpha, inFeatures, A, B } of adapter.pairs) {
      const { shape, data } = weights.get(`${module}.weight`)!
      const sums = data.map((value, index) => {
        const [row, column] = [Math.floor(index / inFeatures), index % inFeatures]
        let delta = 0
        for (let k = 0; k < rank; k++) delta += B[row * rank + k]! * A[k * inFeatures + column]!
        return value + (alpha / rank) * delta
      })
      merged.set(`${module}.weight`, { shape, data: sums })
    }
    const reference = await evaluator.score({ weights: merged, ids })
    assert.ok(Math.abs(adapted.nats - reference.nats) < 1e-5)
    assert.ok(Math.abs(adapted.nats - (await evaluator.score({ weights, ids })).nats) > 1e-2)
  })

  it('agrees with the LoRA path of the training graph', async () => {
    const adapter = strongAdapter({ q_proj: 4, v_proj: 4 })
    const trainable = { kind: 'lora', rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj'] } as const
    const step = await createTrainStep({
      config: TINY_CONFIG,
      trainable,
      batchSize: 1,
      sequenceLength: CONTEXT - 1
    })
    const ids = someIds(CONTEXT)
    const parameters = new Map([...weights].map(([name, { data }]) => [name, data]))
    for (const { module, A, B } of adapter.pairs)
      parameters.set(loraNames(module).A, A).set(loraNames(module).B, B)
    const { loss } = await step.step(parameters, {
      batchSize: 1,
      sequenceLength: CONTEXT - 1,
      inputIds: Int32Array.from(ids.slice(0, -1)),
      targetIds: Int32Array.from(ids.slice(1)),
      targetWeights: new Float32Array(CONTEXT - 1).fill(1)
    })
    assertClose([(await evaluator.score({ weights, adapter, ids })).nats], [loss], 1e-5, 'nats')
    await step.dispose()
  })

  it('keeps concurrent calls apart', async () => {
    const texts = [1, 2, 3].map((seed) => someIds(20, seed))
    const apart: number[] = []
    for (const ids of texts) apart.push((await evaluator.score({ weights, ids })).nats)
    const failing = evaluator.score({ weights, ids: [1, 29] }).catch(() => undefined)
    const together = await Promise.all(texts.map((ids) => evaluator.score({ weights, ids })))
    await failing
    assert.deepEqual(
      together.map(({ nats }) => nats),
      apart
    )
  })

  it('refuses incompatible input', async () => {
    const reason = new Error('enough')
    await assert.rejects(evaluator.score({ weights, ids: [1, 2], signal: AbortSignal.abort(reason) }), reason)
    await assert.rejects(evaluator.score({ weights, ids: [1, 29] }), /token id 29/)
    const adapter = strongAdapter({ q_proj: 2 })
    const renamed = { pairs: [{ ...adapter.pairs[0]!, module: 'model.layers.9.self_attn.q_proj' }] }
    assert.throws(
      () => applyAdapter(weights, renamed),
      /layers.9.self_attn.q_proj \[16,16\] is not in the model/
    )
    await assert.rejects(
      createEvaluator({ config: TINY_CONFIG, context: 1 }),
      /context must be an integer of at least 2 tokens, got 1/
    )
    assert.equal((await evaluator.score({ weights, ids: [4] })).tokens, 0)
  })
})
