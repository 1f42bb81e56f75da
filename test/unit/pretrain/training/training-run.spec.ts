import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCheckpoint } from '../../../../pretrain/training/checkpoint.ts'
import { pretrainingRecipe, type Recipe, recipeLearningRate } from '../../../../pretrain/training/recipe.ts'
import {
  runTraining,
  type TrainingOutcome,
  type TrainingProgress
} from '../../../../pretrain/training/training-run.ts'

const VOCABULARY = 32

/** A recipe small enough to run whole in a test. */
function smallRecipe(steps: number): Recipe {
  const recipe = pretrainingRecipe({
    vocabularySize: VOCABULARY,
    steps,
    batchSize: 2,
    sequenceLength: 8,
    seed: 3,
    learningRate: 1e-2
  })
  const small = { hiddenSize: 16, intermediateSize: 24, layers: 1, heads: 2, keyValueHeads: 1, headSize: 8 }
  return { ...recipe, config: { ...recipe.config, ...small } }
}

/** Counting up and down: easy to learn, so that the loss must decrease. */
const corpus = Array.from({ length: 8 }, (_, row) =>
  Array.from({ length: 40 }, (_, index) => 1 + ((row + index) % 20))
)

describe('pretrain/training-run', () => {
  let work: string
  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'loam-pretrain-'))
  })
  afterEach(() => rmSync(work, { recursive: true, force: true }))

  function train(
    recipe: Recipe,
    options: { stopAt?: number; resume?: boolean; seen?: TrainingProgress[] } = {}
  ): Promise<TrainingOutcome> {
    const controller = new AbortController()
    return runTraining({
      recipe,
      tokenizer: { vocabularySize: VOCABULARY, bosId: 0, encode: () => [], decode: () => '' },
      train: corpus,
      heldOut: [[0, 5, 6, 7, 8, 9]],
      threads: 1,
      work,
      checkpoint: options.resume ? loadCheckpoint(work, recipe) : undefined,
      evaluateEvery: 10,
      checkpointEvery: 7,
      signal: controller.signal,
      onProgress: (progress) => {
        options.seen?.push(progress)
        if (progress.step === options.stopAt) controller.abort()
      }
    })
  }

  it('learns, and reports its progress', async () => {
    const seen: TrainingProgress[] = []
    const outcome = await train(smallRecipe(60), { seen })
    assert.ok(outcome.finished && outcome.step === 60)
    assert.deepEqual(
      seen.map(({ step }) => step),
      Array.from({ length: 60 }, (_, index) => index + 1)
    )
    assert.deepEqual(
      seen.flatMap(({ step, heldOutLoss }) => (heldOutLoss === undefined ? [] : [step])),
      [10, 20, 30, 40, 50]
    )
    // ln 32 = 3.47 at the start; the first token of a document remains a guess.
    assert.ok(
      seen[0]!.loss > 3 && outcome.heldOutLosses.at(-1)!.nats < 1.8,
      `${seen[0]!.loss} to ${outcome.heldOutLosses.at(-1)?.nats}`
    )
  })

  it('ends with the same bits when stopped and resumed', async () => {
    const recipe = smallRecipe(20)
    const whole = await train(recipe)
    rmSync(work, { recursive: true })
    const stopped = await train(recipe, { stopAt: 11 })
    assert.ok(!stopped.finished && stopped.step === 11)
    assert.deepEqual(readdirSync(work), ['checkpoint.safetensors'])
    const resumed = await train(recipe, { resume: true })
    assert.deepEqual(resumed.weights, whole.weights)
    assert.deepEqual(resumed.heldOutLosses, whole.heldOutLosses)
    assert.deepEqual(
      resumed.heldOutLosses.map(({ step }) => step),
      [10, 20]
    )
  })

  it('ends a run early with a cooldown, with the bits of a run that was planned so', async () => {
    const early = { ...smallRecipe(20), steps: 14, cooldownSteps: 5 }
    const planned = await train(early)
    rmSync(work, { recursive: true })
    await train(smallRecipe(20), { stopAt: 9 })
    const ended = await train(early, { resume: true })
    assert.ok(ended.finished && ended.step === 14)
    assert.deepEqual(ended.weights, planned.weights)
  })

  it('does not end a run earlier than its cooldown allows', async () => {
    await train(smallRecipe(20), { stopAt: 12 })
    const early = { ...smallRecipe(20), steps: 14, cooldownSteps: 5 }
    assert.throws(() => loadCheckpoint(work, early), /belongs to another recipe/)
  })

  it('decreases linearly to the final share', () => {
    const recipe = { ...smallRecipe(100), steps: 60, cooldownSteps: 20 }
    assert.equal(recipeLearningRate(recipe, 40), recipeLearningRate(smallRecipe(100), 40))
    const last = recipeLearningRate(recipe, 59)
    assert.ok(last < 0.12 * recipe.learningRate && last > recipe.finalShare * recipe.learningRate)
  })

  it('refuses the checkpoint of another recipe', async () => {
    await train(smallRecipe(3))
    assert.ok(existsSync(join(work, 'checkpoint.safetensors')))
    assert.throws(() => loadCheckpoint(work, { ...smallRecipe(3), seed: 4 }), /belongs to another recipe/)
    assert.throws(() => loadCheckpoint(work, smallRecipe(4)), /belongs to another recipe/)
    assert.equal(loadCheckpoint(join(work, 'nowhere'), smallRecipe(3)), undefined)
  })
})
