import assert from 'node:assert/strict'
import {
  createLoraTrainer,
  initialiseLlama,
  initialiseLora,
  type LoraTrainer,
  type LoraTrainingOptions
} from '../../../../src/model/index.ts'
import { randomBatch, TINY_CONFIG } from '../tiny-llama.ts'

const LORA = { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] }
const create = (threads = 1): Promise<LoraTrainer> =>
  createLoraTrainer({ config: TINY_CONFIG, ...LORA, batchSize: 4, sequenceLength: 8, threads })
const run = (changes: Partial<LoraTrainingOptions> = {}): LoraTrainingOptions => ({
  weights: initialiseLlama(TINY_CONFIG, 1),
  seed: 5,
  steps: 12,
  nextBatch: (step) => randomBatch(TINY_CONFIG, 4, 8, step % 3),
  schedule: { kind: 'cosine', learningRate: 2e-2, warmupSteps: 2 },
  ...changes
})

describe('LoRA trainer', () => {
  it('starts with A uniform within 1/√in and B zero', () => {
    const pairs = initialiseLora(TINY_CONFIG, LORA, 5)
    assert.deepEqual(
      pairs.map(({ module }) => module.replace('model.layers.', '')),
      [
        '0.mlp.down_proj',
        '0.self_attn.q_proj',
        '0.self_attn.v_proj',
        '1.mlp.down_proj',
        '1.self_attn.q_proj',
        '1.self_attn.v_proj'
      ]
    )
    for (const { A, B, inFeatures } of pairs) {
      const largest = Math.max(...A.map(Math.abs))
      const bound = 1 / Math.sqrt(inFeatures)
      assert.ok(largest <= bound && largest > 0.8 * bound)
      assert.ok(Math.min(...A) < 0 && Math.max(...A) > 0)
      assert.ok(B.every((element) => element === 0))
    }
    assert.notDeepEqual(pairs[0]!.A, pairs[3]!.A)
  })

  it('lowers the loss, counts targets and reports every step', async () => {
    const trainer = await create()
    const seen: number[] = []
    // Weights as large as trained ones: those of a new model are too small for LoRA to have an effect.
    const weights = new Map(
      [...initialiseLlama(TINY_CONFIG, 1)].map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((value) => value * (shape.length > 1 ? 10 : 1)) }
      ])
    )
    const { losses, tokens } = await trainer.train(
      run({ weights, steps: 60, onStep: ({ step, loss }) => seen.push(step, loss) })
    )
    assert.ok(losses.at(-1)! < losses[0]! - 0.5, `${losses[0]} to ${losses.at(-1)}`)
    assert.deepEqual(
      seen,
      losses.flatMap((loss, index) => [index + 1, loss])
    )
    const counted = [0, 1, 2].map((seed) =>
      randomBatch(TINY_CONFIG, 4, 8, seed).targetWeights.reduce((a, b) => a + b, 0)
    )
    assert.equal(tokens, 20 * (counted[0]! + counted[1]! + counted[2]!))
    await trainer.dispose()
  })

  it('gives the same bits for the same seed, even with a reused session', async () => {
    const one = await create()
    const first = await one.train(run())
    const other = await one.train(run({ seed: 6 }))
    assert.notDeepEqual(other.adapter, first.adapter)
    assert.deepEqual(await one.train(run()), first)
    const bytes = (seed: number): LoraTrainingOptions => run({ seed: Uint8Array.of(1, 2, seed), steps: 1 })
    assert.notDeepEqual((await one.train(bytes(3))).adapter, (await one.train(bytes(4))).adapter)
    await one.dispose()
  })

  it('gives the same bits with one and with two threads', async () => {
    // Large enough that onnxruntime parallelises its operators.
    const config = {
      ...TINY_CONFIG,
      vocabularySize: 300,
      hiddenSize: 64,
      intermediateSize: 160,
      headSize: 16
    }
    const results = []
    for (const threads of [1, 2]) {
      const trainer = await createLoraTrainer({ config, ...LORA, batchSize: 4, sequenceLength: 64, threads })
      const nextBatch = (step: number) => randomBatch(config, 4, 64, step)
      results.push(await trainer.train(run({ weights: initialiseLlama(config, 1), steps: 3, nextBatch })))
      await trainer.dispose()
    }
    assert.deepEqual(results[0], results[1])
  })

  it('trains on other base weights in the next round without changing them', async () => {
    const trainer = await create()
    const next = initialiseLlama(TINY_CONFIG, 2)
    const before = structuredClone(next)
    const [a, b] = [
      await trainer.train(run({ steps: 2 })),
      await trainer.train(run({ steps: 2, weights: next }))
    ]
    assert.notEqual(a.losses[0], b.losses[0])
    assert.deepEqual(next, before)
    await trainer.dispose()
  })

  it('stops between two steps on request', async () => {
    const trainer = await create()
    const controller = new AbortController()
    const reason = new Error('enough')
    let steps = 0
    const onStep = (): void => {
      if (++steps === 2) controller.abort(reason)
    }
    await assert.rejects(trainer.train(run({ onStep, signal: controller.signal })), reason)
    assert.equal(steps, 2)
    await trainer.dispose()
  })

  it('reports diverged training instead of returning an adapter of NaN', async () => {
    const trainer = await create()
    const weights = initialiseLlama(TINY_CONFIG, 1)
    weights.get('model.norm.weight')!.data[0] = Number.NaN
    await assert.rejects(trainer.train(run({ weights })), /diverged at step 1/)
    await trainer.dispose()
  })

  it('resumes from a state as if it had never stopped, and refuses that of another run', async () => {
    const trainer = await create()
    const { weights, seed, nextBatch } = run()
    const through = trainer.begin({ weights, seed })
    for (let step = 0; step < 6; step++) await through.step(nextBatch(step), 1e-2)

    const first = trainer.begin({ weights, seed })
    for (let step = 0; step < 3; step++) await first.step(nextBatch(step), 1e-2)
    const { step, tensors } = first.state()
    const saved = new Map(
      [...tensors].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }])
    )
    const second = trainer.begin({ weights, seed: 99 })
    second.restore({ step, tensors: saved })
    for (let next = second.stepsDone; next < 6; next++) await second.step(nextBatch(next), 1e-2)
    assert.deepEqual(second.adapter, through.adapter)

    assert.throws(
      () => second.restore({ step, tensors: new Map([...saved].slice(1)) }),
      /has shape \[undefined\]/
    )
    assert.deepEqual(second.adapter, through.adapter)
    await trainer.dispose()
  })
})
