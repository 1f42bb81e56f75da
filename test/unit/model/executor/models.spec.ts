import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TrainingBatch } from '../../../../src/data/packing/training-batch.ts'
import type { TensorMap } from '../../../../src/formats/tensor.ts'
import { logProbabilityGraph } from '../../../../src/model/evaluate/log-probability-graph.ts'
import {
  createDecoder,
  createLoraTrainer,
  createTrainStep,
  type Executor,
  initialiseModel,
  type ModelConfig,
  parseModelConfig,
  type Trainable
} from '../../../../src/model/index.ts'
import { packageRoot } from '../../../../src/package-root.ts'
import { assertClose } from '../close.ts'
import { randomBatch, TINY_CONFIG } from '../tiny-llama.ts'
import { EXECUTORS_HERE, titleOf } from './executors.ts'

const TOLERANCE = 2e-5
const [BATCH, LENGTH] = [2, 5]

/** A tiny model of each family and variant: those that are held to PyTorch too. */
function tinyModels(): readonly (readonly [string, ModelConfig])[] {
  return ['llama', 'gpt2'].flatMap((kind) => {
    const path = join(packageRoot(), `test/unit/model/vectors/${kind}.json`)
    const { cases } = JSON.parse(readFileSync(path, 'utf8')) as { cases: { name: string; config: object }[] }
    // The decoder runs eight tokens at a time, more than some of these models have positions.
    const read = (config: object) => ({ ...parseModelConfig(config), maxPositions: 32 })
    return cases.map(({ name, config }) => [`${kind}: ${name}`, read(config)] as const)
  })
}

/** Weights as large as trained ones: executors differ visibly only far from uniform distributions. */
function weightsOf(config: ModelConfig): TensorMap {
  return new Map(
    [...initialiseModel(config, 3)].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => value * (shape.length > 1 ? 8 : 1)) }
    ])
  )
}

function valuesOf(weights: TensorMap): Map<string, Float32Array> {
  return new Map([...weights].map(([name, { data }]) => [name, data]))
}

function batchFor({ vocabularySize }: ModelConfig, seed: number): TrainingBatch {
  return randomBatch({ ...TINY_CONFIG, vocabularySize }, BATCH, LENGTH, seed)
}

/** What a training step computes: the loss, and the gradients of what it trains. */
async function stepOf(executor: Executor, config: ModelConfig, trainable: Trainable) {
  const step = await createTrainStep({
    config,
    trainable,
    batchSize: BATCH,
    sequenceLength: LENGTH,
    executor
  })
  const parameters = valuesOf(weightsOf(config))
  let seed = 0
  for (const [name, shape] of step.trainableShapes) {
    if (parameters.has(name)) continue
    const [rows, columns] = shape as [number, number]
    seed++
    parameters.set(
      name,
      Float32Array.from({ length: rows * columns }, (_, index) => Math.sin(seed + 0.7 * index) / 2)
    )
  }
  const { loss, gradients } = await step.step(parameters, batchFor(config, 4))
  const copied = new Map([...gradients].map(([name, data]) => [name, data.slice()]))
  await step.dispose()
  return { loss, gradients: copied }
}

async function inferenceOf(executor: Executor, config: ModelConfig) {
  const batch = batchFor(config, 5)
  const weights = valuesOf(weightsOf(config))
  const scoring = await executor.compile(logProbabilityGraph(config, BATCH, LENGTH))
  const decoder = createDecoder({ config, executor })
  const scored = await scoring.run(
    new Map<string, Float32Array | Int32Array>([
      ...weights,
      ['inputIds', batch.inputIds],
      ['targetIds', batch.targetIds]
    ])
  )
  const text = decoder.start(weightsOf(config))
  await text.append([...batch.inputIds.slice(0, LENGTH - 1)])
  const found = {
    logProbabilities: scored.get('logProbabilities')!.slice(),
    // With the cache filled by the previous tokens.
    logits: (await text.append([3])).slice()
  }
  await scoring.dispose()
  await decoder.dispose()
  return found
}

const LORA = { rank: 3, alpha: 6 }

describe('whole models on every executor', function () {
  this.timeout(120_000)
  const [native, ...others] = EXECUTORS_HERE

  for (const [what, config] of tinyModels()) {
    it(`${what}: logits, log-probabilities, loss and gradients match onnxruntime`, async () => {
      const trainables: Trainable[] = [
        { kind: 'all' },
        { kind: 'lora', ...LORA, targetModules: ['all-linear'] }
      ]
      const inference = await inferenceOf(native!, config)
      const steps = []
      for (const trainable of trainables) steps.push(await stepOf(native!, config, trainable))
      for (const executor of others) {
        const title = titleOf(executor)
        const found = await inferenceOf(executor, config)
        assertClose(found.logits, inference.logits, TOLERANCE, `${title}: logits`)
        assertClose(
          found.logProbabilities,
          inference.logProbabilities,
          TOLERANCE,
          `${title}: log-probabilities`
        )
        for (const [index, { loss, gradients }] of steps.entries()) {
          const step = await stepOf(executor, config, trainables[index]!)
          assertClose([step.loss], [loss], TOLERANCE, `${title}: loss`)
          for (const [name, gradient] of gradients)
            assertClose(step.gradients.get(name)!, gradient, TOLERANCE, `${title}: ${name}`)
        }
      }
    })
  }

  for (const executor of others) {
    it(`${titleOf(executor)}: training losses match onnxruntime`, async () => {
      const losses = async (by: Executor): Promise<readonly number[]> => {
        const targetModules = ['q_proj', 'v_proj', 'down_proj']
        const options = {
          config: TINY_CONFIG,
          ...LORA,
          targetModules,
          batchSize: BATCH,
          sequenceLength: LENGTH
        }
        const trainer = await createLoraTrainer({ ...options, executor: by })
        const trained = await trainer.train({
          weights: weightsOf(TINY_CONFIG),
          seed: 5,
          steps: 8,
          nextBatch: (step) => randomBatch(TINY_CONFIG, BATCH, LENGTH, step),
          schedule: { kind: 'cosine', learningRate: 1e-2, warmupSteps: 2 }
        })
        await trainer.dispose()
        return trained.losses
      }
      assertClose(await losses(executor), await losses(native!), 2e-4, 'loss')
    })
  }
})
