import type { TensorMap } from '../../../../src/adapter/tensor.ts'
import {
  createDecoder,
  createLoraTrainer,
  createTrainStep,
  type Executor,
  initialiseLlama,
  type LlamaConfig,
  type Trainable
} from '../../../../src/model/index.ts'
import { logProbabilityGraph } from '../../../../src/model/inference-graph.ts'
import { assertClose } from '../close.ts'
import { randomBatch, TINY_CONFIG } from '../tiny-llama.ts'
import { EXECUTORS_HERE, titleOf } from './executors.ts'

const TOLERANCE = 2e-5
const [BATCH, LENGTH] = [2, 8]

const CONFIGS: Readonly<Record<string, LlamaConfig>> = {
  'grouped heads and a tied head': TINY_CONFIG,
  'as many key heads as query heads, biases, an untied head': {
    ...TINY_CONFIG,
    keyValueHeads: 4,
    attentionBias: true,
    outputBias: true,
    tiedHead: false
  }
}

/** Weights as large as trained ones: differences of executors show in what is far from uniform. */
function weightsOf(config: LlamaConfig): TensorMap {
  return new Map(
    [...initialiseLlama(config, 3)].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => value * (shape.length > 1 ? 8 : 1)) }
    ])
  )
}

function valuesOf(weights: TensorMap): Map<string, Float32Array> {
  return new Map([...weights].map(([name, { data }]) => [name, data]))
}

/** What a training step computes: the loss, and the gradients of what it trains. */
async function stepOf(executor: Executor, config: LlamaConfig, trainable: Trainable) {
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
  const { loss, gradients } = await step.step(parameters, randomBatch(config, BATCH, LENGTH, 4))
  const copied = new Map([...gradients].map(([name, data]) => [name, data.slice()]))
  await step.dispose()
  return { loss, gradients: copied }
}

async function inferenceOf(executor: Executor, config: LlamaConfig) {
  const batch = randomBatch(config, BATCH, LENGTH, 5)
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
  await text.append([...batch.inputIds.slice(0, LENGTH)])
  const found = {
    logProbabilities: scored.get('logProbabilities')!.slice(),
    // With the cache that the tokens before have filled.
    logits: (await text.append([3])).slice()
  }
  await scoring.dispose()
  await decoder.dispose()
  return found
}

const LORA = { rank: 3, alpha: 6, targetModules: ['q_proj', 'v_proj', 'down_proj'] }

describe('whole models on every executor', function () {
  this.timeout(120_000)
  const [native, ...others] = EXECUTORS_HERE

  for (const [what, config] of Object.entries(CONFIGS)) {
    describe(what, () => {
      for (const executor of others) {
        it(`${titleOf(executor)}: logits and log-probabilities as onnxruntime's`, async () => {
          const expected = await inferenceOf(native!, config)
          const found = await inferenceOf(executor, config)
          assertClose(found.logits, expected.logits, TOLERANCE, 'logits')
          assertClose(found.logProbabilities, expected.logProbabilities, TOLERANCE, 'log-probabilities')
        })

        for (const trainable of [{ kind: 'all' }, { kind: 'lora', ...LORA }] as const) {
          it(`${titleOf(executor)}: loss and gradients (${trainable.kind}) as onnxruntime's`, async () => {
            const expected = await stepOf(native!, config, trainable)
            const found = await stepOf(executor, config, trainable)
            assertClose([found.loss], [expected.loss], TOLERANCE, 'loss')
            for (const [name, gradient] of expected.gradients)
              assertClose(found.gradients.get(name)!, gradient, TOLERANCE, name)
          })
        }
      }
    })
  }

  for (const executor of others) {
    it(`${titleOf(executor)}: a training run's losses as onnxruntime's`, async () => {
      const losses = async (by: Executor): Promise<readonly number[]> => {
        const options = { config: TINY_CONFIG, ...LORA, batchSize: BATCH, sequenceLength: LENGTH }
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
