import assert from 'node:assert/strict'
import { createFullTrainer, type FullTrainer } from '../../../../pretrain/training/full-trainer.ts'
import type { TrainingBatch } from '../../../../src/data/packing/training-batch.ts'
import { initialiseLlama } from '../../../../src/model/index.ts'
import { assertClose } from '../../model/close.ts'
import { randomBatch, TINY_CONFIG } from '../../model/tiny-llama.ts'

const create = (batchSize: number, seed = 1): Promise<FullTrainer> =>
  createFullTrainer({
    config: TINY_CONFIG,
    weights: initialiseLlama(TINY_CONFIG, seed),
    batchSize,
    sequenceLength: 8,
    optimizer: { weightDecay: 0.01 }
  })

function rows({ sequenceLength, ...batch }: TrainingBatch, from: number, to: number): TrainingBatch {
  const [start, end] = [from * sequenceLength, to * sequenceLength]
  return {
    batchSize: to - from,
    sequenceLength,
    inputIds: batch.inputIds.slice(start, end),
    targetIds: batch.targetIds.slice(start, end),
    targetWeights: batch.targetWeights.slice(start, end)
  }
}

describe('full trainer', () => {
  it('memorises a batch', async () => {
    const trainer = await create(4)
    const batch = randomBatch(TINY_CONFIG, 4, 8, 1)
    const first = await trainer.step(batch, 1e-2)
    assert.ok(Math.abs(first.loss - Math.log(29)) < 0.1, `a new model knows nothing: ${first.loss}`)
    let last = first
    while (trainer.stepsDone < 150) last = await trainer.step(batch, 1e-2)
    assert.ok(last.loss < 0.1, `${last.loss}`)
    await trainer.dispose()
  })

  it('continues from a saved state with the same bits', async () => {
    const batches = Array.from({ length: 6 }, (_, seed) => randomBatch(TINY_CONFIG, 2, 8, seed))
    const straight = await create(2)
    let saved: ReturnType<FullTrainer['state']> | undefined
    for (const batch of batches) {
      await straight.step(batch, 1e-2)
      if (straight.stepsDone === 3) saved = structuredClone(straight.state())
    }
    const resumed = await create(2, 7)
    resumed.restore(saved!)
    for (const batch of batches.slice(3)) await resumed.step(batch, 1e-2)
    assert.equal(resumed.stepsDone, 6)
    assert.deepEqual(resumed.weights, straight.weights)
    await Promise.all([straight.dispose(), resumed.dispose()])
  })

  it('adds the gradients of several batches up to those of one large batch', async () => {
    const whole = randomBatch(TINY_CONFIG, 4, 8, 3)
    const [large, small] = [await create(4), await create(2)]
    const once = await large.step(whole, 1e-2)
    const added = await small.step([rows(whole, 0, 2), rows(whole, 2, 4)], 1e-2)
    assertClose([added.loss, added.gradientNorm], [once.loss, once.gradientNorm], 1e-6, 'loss and norm')
    await Promise.all([large.dispose(), small.dispose()])
  })

  it('refuses a state, a batch or weights of another model', async () => {
    const trainer = await create(2)
    const { step, tensors } = trainer.state()
    const cut = new Map(tensors)
    cut.delete('first-moments/model.norm.weight')
    assert.throws(() => trainer.restore({ step, tensors: cut }), /first-moments\/model.norm.weight has shape/)
    await assert.rejects(trainer.step(randomBatch(TINY_CONFIG, 2, 9, 1), 1e-3), /2 x 8 tokens, not 2 x 9/)
    const outside = randomBatch({ ...TINY_CONFIG, vocabularySize: 500 }, 2, 8, 1)
    await assert.rejects(trainer.step(outside, 1e-3), /outside the vocabulary of 29/)
    const short = { ...randomBatch(TINY_CONFIG, 2, 8, 1), targetWeights: new Float32Array(15) }
    await assert.rejects(trainer.step(short, 1e-3), /targetWeights has 15 elements instead of 16/)
    await trainer.dispose()
    const weights = initialiseLlama({ ...TINY_CONFIG, intermediateSize: 10 }, 1)
    await assert.rejects(
      createFullTrainer({ config: TINY_CONFIG, weights, batchSize: 1, sequenceLength: 4 }),
      /gate_proj.weight has shape \[10,16\], but config.json specifies \[24,16\]/
    )
  })
})
