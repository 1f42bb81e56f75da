import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { TrainingBatch } from '../../../src/data/packing/training-batch.ts'
import type { Tensor } from '../../../src/formats/tensor.ts'
import { logProbabilityGraph } from '../../../src/model/evaluate/log-probability-graph.ts'
import { createOnnxRuntimeExecutor } from '../../../src/model/executor/index.ts'
import {
  checkpointTensors,
  createTrainStep,
  familyOf,
  linearModules,
  parseModelConfig,
  type Trainable
} from '../../../src/model/index.ts'
import { transposed } from '../../../src/model/weights/transposed.ts'
import { packageRoot } from '../../../src/package-root.ts'
import { assertClose } from './close.ts'

const AGREEMENT = 1e-5

const tensor = z
  .object({ shape: z.array(z.number()), float32: z.string() })
  .transform(({ shape, float32 }): Tensor => {
    const bytes = Uint8Array.from(Buffer.from(float32, 'base64'))
    return { shape, data: new Float32Array(bytes.buffer) }
  })
const tensors = z.record(z.string(), tensor)
const outcome = z.object({ loss: z.number(), logProbabilities: tensor, gradients: tensors })
const vectors = z.object({
  cases: z
    .array(
      z.object({
        name: z.string(),
        config: z.unknown(),
        rank: z.number(),
        alpha: z.number(),
        targetModules: z.array(z.string()),
        weights: tensors,
        lora: tensors,
        batch: z.object({
          batchSize: z.number(),
          sequenceLength: z.number(),
          inputIds: z.array(z.number()),
          targetIds: z.array(z.number()),
          targetWeights: z.array(z.number())
        }),
        full: outcome,
        adapted: outcome
      })
    )
    .nonempty()
})

for (const kind of ['llama', 'gpt2']) {
  describe(`a model against PyTorch (checks/vectors/${kind}-vectors.py)`, () => {
    const file = join(packageRoot(), `test/unit/model/vectors/${kind}.json`)
    for (const { name, config: json, weights: onDisk, lora, ...rest } of vectors.parse(
      JSON.parse(readFileSync(file, 'utf8'))
    ).cases) {
      const config = parseModelConfig(json)
      const batch: TrainingBatch = {
        ...rest.batch,
        inputIds: Int32Array.from(rest.batch.inputIds),
        targetIds: Int32Array.from(rest.batch.targetIds),
        targetWeights: Float32Array.from(rest.batch.targetWeights)
      }
      const weights = new Map(Object.entries(onDisk))
      if (familyOf(config).fanInFanOut) {
        for (const module of linearModules(config).keys())
          weights.set(`${module}.weight`, transposed(weights.get(`${module}.weight`)!))
      }
      const frozen = [...weights].map(([key, { data }]): [string, Float32Array] => [key, data])
      const factors = Object.entries(lora).map(([key, { data }]): [string, Float32Array] => [key, data])

      const check = async (
        trainable: Trainable,
        expected: z.infer<typeof outcome>,
        fed: [string, Float32Array][]
      ) => {
        const { batchSize, sequenceLength } = batch
        const step = await createTrainStep({ config, trainable, batchSize, sequenceLength })
        const { loss, gradients } = await step.step(new Map(fed), batch)
        assertClose([loss], [expected.loss], AGREEMENT, 'loss')
        const found = checkpointTensors(
          config,
          new Map([...gradients].map(([key, data]) => [key, { shape: step.trainableShapes.get(key)!, data }]))
        )
        for (const [key, { data }] of Object.entries(expected.gradients)) {
          assertClose(found.get(key)?.data ?? [], data, AGREEMENT, `gradient of ${key}`)
        }
        await step.dispose()
      }

      describe(name, () => {
        it('loss and the gradient of every weight', () => check({ kind: 'all' }, rest.full, frozen))

        it('loss and the gradient of every LoRA factor', () => {
          const { rank, alpha, targetModules } = rest
          return check({ kind: 'lora', rank, alpha, targetModules }, rest.adapted, [...frozen, ...factors])
        })

        it('log-probability of every target', async () => {
          const graph = logProbabilityGraph(config, batch.batchSize, batch.sequenceLength)
          const compiled = await createOnnxRuntimeExecutor().compile(graph)
          const feeds = new Map<string, Float32Array | Int32Array>(frozen)
          feeds.set('inputIds', batch.inputIds).set('targetIds', batch.targetIds)
          const found = (await compiled.run(feeds)).get('logProbabilities')!
          assertClose(found, rest.full.logProbabilities.data, AGREEMENT, 'log-probability')
          await compiled.dispose()
        })
      })
    }
  })
}
