import assert from 'node:assert/strict'
import {
  applyAdapter,
  createLoraTrainer,
  createTrainStep,
  initialiseLlama,
  initialiseLora,
  loraModules,
  loraNames
} from '../../../../src/model/index.ts'
import { drawDropout } from '../../../../src/model/lora/dropout.ts'
import { assertClose } from '../close.ts'
import { randomBatch, TINY_CONFIG } from '../tiny-llama.ts'

const weights = initialiseLlama(TINY_CONFIG, 3)
const SETTINGS = {
  rank: 2,
  alpha: 8,
  targetModules: ['q_proj', 'v_proj'],
  rankPattern: { 'layers.1.*.q_proj': 4, q_proj: 3 },
  alphaPattern: { v_proj: 5 }
}

describe('LoRA settings', () => {
  it('give each module its rank, alpha and scale', () => {
    const found = loraModules(TINY_CONFIG, { ...SETTINGS, rsLora: true })
    assert.deepEqual(
      found.map(({ module, rank, alpha }) => [module.replace('model.layers.', ''), rank, alpha]),
      [
        ['0.self_attn.q_proj', 3, 8],
        ['0.self_attn.v_proj', 2, 5],
        ['1.self_attn.q_proj', 4, 8],
        ['1.self_attn.v_proj', 2, 5]
      ]
    )
    assert.deepEqual(
      found.map(({ scale }) => scale),
      [8 / Math.sqrt(3), 5 / Math.sqrt(2), 4, 5 / Math.sqrt(2)]
    )
    assert.equal(loraModules(TINY_CONFIG, SETTINGS)[2]!.scale, 2)
  })

  it('refuse invalid numbers, and patterns that match nothing', () => {
    const refused = (change: object, message: RegExp): void =>
      assert.throws(() => loraModules(TINY_CONFIG, { ...SETTINGS, ...change }), message)
    refused({ rank: 0 }, /the rank of model.layers.0.self_attn.v_proj must be a positive integer, got 0/)
    refused({ alpha: Number.NaN }, /alpha of .*q_proj must be a positive number, got NaN/)
    refused({ dropout: 1 }, /dropout must be at least 0 and below 1, got 1/)
    refused({ rankPattern: { up_proj: 4 } }, /up_proj matches none of the target modules/)
  })

  it('mean the same in training and in the merge', async () => {
    const pairs = initialiseLora(TINY_CONFIG, SETTINGS, 1)
    for (const { B } of pairs) for (const index of B.keys()) B[index] = ((index % 7) - 3) / 5
    const batch = randomBatch(TINY_CONFIG, 1, 6, 2)
    const size = { config: TINY_CONFIG, batchSize: 1, sequenceLength: 6 }
    const plain = await createTrainStep({ ...size, trainable: { kind: 'all' } })
    for (const rsLora of [false, true]) {
      const step = await createTrainStep({ ...size, trainable: { kind: 'lora', ...SETTINGS, rsLora } })
      const parameters = new Map([...weights].map(([name, { data }]) => [name, data]))
      for (const { module, A, B } of pairs) parameters.set(loraNames(module).A, A).set(loraNames(module).B, B)
      const { loss } = await step.step(parameters, batch)
      await step.dispose()
      const merged = applyAdapter(weights, { pairs }, rsLora)
      const after = await plain.step(new Map([...merged].map(([name, { data }]) => [name, data])), batch)
      assertClose([after.loss], [loss], 1e-6, 'loss')
    }
    await plain.dispose()
  })
})

describe('LoRA dropout', () => {
  it('draws masks with mean 1, equal for the same place in a run', () => {
    const mask = new Float32Array(20_001)
    const draw = { seed: 7, step: 3, batch: 0 }
    drawDropout([mask], 0.25, draw)
    const first = mask.slice()
    assert.deepEqual(new Set(mask), new Set([0, Math.fround(4 / 3)]))
    assert.ok(Math.abs(mask.reduce((sum, value) => sum + value, 0) / mask.length - 1) < 0.02)
    for (const change of [{ seed: 8 }, { step: 4 }, { batch: 1 }, { seed: Uint8Array.of(7) }]) {
      drawDropout([mask], 0.25, { ...draw, ...change })
      assert.notDeepEqual(mask, first)
    }
    drawDropout([mask], 0.25, draw)
    assert.deepEqual(mask, first)
  })

  it('acts on the input of A: one step matches a calculation by hand', async () => {
    // With B = 0 the loss does not see the masks, and the gradient of B does.
    const size = { config: TINY_CONFIG, batchSize: 1, sequenceLength: 4 }
    const lora = { rank: 2, alpha: 2, targetModules: ['down_proj'], dropout: 0.5 }
    const step = await createTrainStep({ ...size, trainable: { kind: 'lora', ...lora } })
    const parameters = new Map([...weights].map(([name, { data }]) => [name, data]))
    for (const { module, A, B } of initialiseLora(TINY_CONFIG, lora, 1))
      parameters.set(loraNames(module).A, A).set(loraNames(module).B, B)
    const batch = randomBatch(TINY_CONFIG, 1, 4, 2)
    const run = async (draw?: { seed: number; step: number; batch: number }) => {
      const { loss, gradients } = await step.step(parameters, batch, undefined, draw)
      const name = loraNames('model.layers.1.mlp.down_proj').B
      return { loss, gradient: gradients.get(name)!.slice() }
    }
    const plain = await run()
    const dropped = await run({ seed: 1, step: 0, batch: 0 })
    assert.equal(dropped.loss, plain.loss)
    assert.notDeepEqual(dropped.gradient, plain.gradient)
    assert.deepEqual(await run({ seed: 1, step: 0, batch: 0 }), dropped)
    assert.deepEqual(await run(), plain)
    // Over many masks the mean is the gradient without any.
    const mean = new Float64Array(plain.gradient.length)
    const draws = 400
    for (let index = 0; index < draws; index++) {
      const { gradient } = await run({ seed: 1, step: index, batch: 0 })
      for (const [element, value] of gradient.entries()) mean[element]! += value / draws
    }
    assertClose(mean, plain.gradient, 0.2, 'mean gradient')
    await step.dispose()
  })

  it('keeps runs reproducible and resumable bit for bit', async () => {
    const trainer = await createLoraTrainer({
      config: TINY_CONFIG,
      ...SETTINGS,
      dropout: 0.3,
      batchSize: 2,
      sequenceLength: 5
    })
    const batches = [randomBatch(TINY_CONFIG, 2, 5, 1), randomBatch(TINY_CONFIG, 2, 5, 2)]
    const run = trainer.begin({ weights, seed: 4 })
    for (let step = 0; step < 4; step++) await run.step(batches, 0.01)
    const whole = structuredClone(run.adapter)
    const half = trainer.begin({ weights, seed: 4 })
    for (let step = 0; step < 2; step++) await half.step(batches, 0.01)
    const resumed = trainer.begin({ weights, seed: 4 })
    resumed.restore(structuredClone(half.state()))
    for (let step = 2; step < 4; step++) await resumed.step(batches, 0.01)
    assert.deepEqual(resumed.adapter, whole)
    await trainer.dispose()
  })
})
