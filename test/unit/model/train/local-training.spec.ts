import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createExampleStream, type TokenizedExample } from '../../../../src/data/index.ts'
import {
  BASE_FORMATS,
  CheckpointError,
  createLoraTrainer,
  createLossEvaluator,
  createSeededRandom,
  initialiseLlama,
  type LocalTrainingOptions,
  type LoraTrainer,
  type LossEvaluator,
  trainLocally
} from '../../../../src/model/index.ts'
import { createEarlyStop } from '../../../../src/model/train/early-stop.ts'
import { holdWeights } from '../../../../src/model/weights/held-weights.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'

const LORA = { rank: 2, alpha: 4, targetModules: ['q_proj', 'v_proj'] }
const SHAPE = { config: TINY_CONFIG, batchSize: 2, sequenceLength: 8, isolateDocuments: true }

function examples(count: number, seed: number): TokenizedExample[] {
  const random = createSeededRandom(seed)
  return Array.from({ length: count }, () => {
    const length = 2 + (random.nextUint32() % 8)
    const ids = Int32Array.from({ length }, () => random.nextUint32() % TINY_CONFIG.vocabularySize)
    return { ids, weights: Uint8Array.from({ length }, (_, index) => (index > 0 ? 1 : 0)) }
  })
}

const streamOf = (count: number, seed: number) =>
  createExampleStream({
    examples: examples(count, seed),
    packing: 'isolated',
    batchSize: 2,
    sequenceLength: 8,
    seed: 1
  })

describe('local training', () => {
  let trainer: LoraTrainer
  let evaluator: LossEvaluator
  let folder: string
  const weights = new Map(
    [...initialiseLlama(TINY_CONFIG, 1)].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => value * (shape.length > 1 ? 10 : 1)) }
    ])
  )
  const checkpoint = (changes: object = {}) => ({
    path: join(folder, 'checkpoint'),
    resume: false,
    settings: { rank: 2 },
    ...changes
  })
  const options = (changes: Partial<LocalTrainingOptions> = {}): LocalTrainingOptions => ({
    trainer,
    weights,
    stream: streamOf(12, 3),
    seed: 4,
    steps: 8,
    accumulation: 2,
    schedule: { kind: 'cosine', learningRate: 2e-2, warmupSteps: 1 },
    ...changes
  })

  before(async () => {
    trainer = await createLoraTrainer({ ...SHAPE, ...LORA })
    evaluator = await createLossEvaluator({ ...SHAPE, lora: LORA })
  })
  after(async () => {
    await trainer.dispose()
    await evaluator.dispose()
  })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-train-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('evaluates the training loss, counting each target once', async () => {
    const stream = streamOf(5, 9)
    const first = stream.nextBatch(0)
    const { loss } = await trainer.begin({ weights, seed: 1 }).step(first, 0)
    const one = { rows: 2, targets: 0, nextBatch: () => first }
    assert(Math.abs((await evaluator.loss(one, weights)) - loss) < 1e-5)
    // An odd last row: its batch continues into rows that were counted already.
    const odd = createExampleStream({
      examples: examples(3, 2),
      packing: 'none',
      batchSize: 2,
      sequenceLength: 8,
      seed: 1
    })
    const rowByRow = createExampleStream({
      examples: examples(3, 2),
      packing: 'none',
      batchSize: 1,
      sequenceLength: 8,
      seed: 1
    })
    const single = await createLossEvaluator({ ...SHAPE, batchSize: 1 })
    assert(Math.abs((await evaluator.loss(odd, weights)) - (await single.loss(rowByRow, weights))) < 1e-5)
    await single.dispose()
  })

  it('evaluates what is trained: on base weights as they are held, with the LoRA scale', async () => {
    for (const baseFormat of BASE_FORMATS) {
      const lora = { ...LORA, rsLora: true }
      const quantised = await createLoraTrainer({ ...SHAPE, ...lora, baseFormat })
      const judge = await createLossEvaluator({ ...SHAPE, lora, baseFormat })
      const held = holdWeights(TINY_CONFIG, weights, baseFormat)
      const batch = streamOf(5, 9).nextBatch(0)
      const one = { rows: 2, targets: 0, nextBatch: () => batch }
      const run = quantised.begin({ weights: held, seed: 1 })
      const losses = [await judge.loss(one, held)]
      const stepped = [(await run.step(batch, 0.05)).loss]
      losses.push(await judge.loss(one, held, run.adapter))
      stepped.push((await run.step(batch, 0)).loss)
      assert(Math.abs(losses[1]! - losses[0]!) > 1e-3, `${losses}`)
      for (const [index, loss] of losses.entries())
        assert(Math.abs(loss - stepped[index]!) < 1e-5, `${baseFormat}: ${losses} and ${stepped}`)
      await quantised.dispose()
      await judge.dispose()
    }
  })

  it('refuses to evaluate an adapter unless built for one', async () => {
    const plain = await createLossEvaluator(SHAPE)
    const { adapter } = trainer.begin({ weights, seed: 1 })
    await assert.rejects(plain.loss(streamOf(2, 9), weights, adapter), /built for the base alone/)
    await plain.dispose()
  })

  it('ends with the same bits when stopped anywhere and resumed', async () => {
    const heldOut = { stream: streamOf(4, 8), evaluator, every: 2 }
    const whole = await trainLocally(options({ heldOut }))
    for (const stopAt of [1, 5]) {
      const stopping = new AbortController()
      const stopped = trainLocally(
        options({
          heldOut,
          checkpoint: checkpoint(),
          signal: stopping.signal,
          onStep: ({ step }) => step === stopAt && stopping.abort(new Error('enough'))
        })
      )
      await assert.rejects(stopped, /enough/)
      const steps: number[] = []
      const resumed = await trainLocally(
        options({ heldOut, checkpoint: checkpoint({ resume: true }), onStep: ({ step }) => steps.push(step) })
      )
      assert.equal(steps[0], stopAt + 1)
      assert.deepEqual(resumed, whole)
    }
  })

  it('refuses a checkpoint that is damaged or of other settings, and starts fresh without one', async () => {
    const missing = await trainLocally(
      options({ steps: 2, checkpoint: checkpoint({ resume: true, every: 1 }) })
    )
    assert.equal(missing.steps, 2)
    assert(existsSync(join(folder, 'checkpoint')))
    const other = options({ checkpoint: checkpoint({ resume: true, settings: { rank: 4 } }) })
    await assert.rejects(trainLocally(other), (error: Error) => {
      assert(error instanceof CheckpointError)
      assert.match(error.message, /other settings \(rank: 2 then, 4 now\)/)
      return true
    })
    await writeFile(join(folder, 'checkpoint'), 'nonsense')
    await assert.rejects(trainLocally(options({ checkpoint: checkpoint({ resume: true }) })), /is damaged/)
  })

  it('stops when the held-out loss no longer falls, and keeps the best adapter, even across a restart', async () => {
    // Far too high a learning rate: the loss rises soon.
    const heldOut = { stream: streamOf(6, 8), evaluator, every: 1, patience: 2 }
    const wild = { heldOut, steps: 30, schedule: { kind: 'constant', learningRate: 0.3 } } as const
    const seen: number[] = []
    const result = await trainLocally(options({ ...wild, onHeldOut: (_, loss) => seen.push(loss) }))
    assert(result.stoppedEarly)
    assert.equal(result.steps, result.bestStep! + 2)
    const best = Math.min(...seen.slice(1))
    assert.equal(seen.indexOf(best), result.bestStep)
    assert(Math.abs(result.heldOutLoss!.after - best) < 1e-6)

    const stopping = new AbortController()
    const cut = options({
      ...wild,
      checkpoint: checkpoint(),
      signal: stopping.signal,
      onStep: ({ step }) => step === result.bestStep! + 1 && stopping.abort(new Error('enough'))
    })
    await assert.rejects(trainLocally(cut), /enough/)
    assert.deepEqual(
      await trainLocally(options({ ...wild, checkpoint: checkpoint({ resume: true }) })),
      result
    )
  })

  it('counts evaluations since the best', () => {
    const stop = createEarlyStop(2)
    assert.deepEqual(
      [3, 2, 2, 1.5, 1.6, 1.7].map((loss, step) => [stop.observe(loss, step), stop.exhausted]),
      [
        [true, false],
        [true, false],
        [false, false],
        [true, false],
        [false, false],
        [false, true]
      ]
    )
    assert.deepEqual(stop.best, { loss: 1.5, step: 3 })
  })
})
