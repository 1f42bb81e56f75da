import { createHash } from 'node:crypto'
import { encodeAdapterFile } from '../../../../src/adapter/index.ts'
import {
  chooseExecutor,
  createLoraTrainer,
  type DeviceName,
  type ExecutorName,
  initialiseLlama
} from '../../../../src/model/index.ts'
import { randomBatch, TINY_CONFIG } from '../tiny-llama.ts'

/**
 * A process of its own, `train-digest EXECUTOR DEVICE THREADS`: trains an adapter, prints its file's digest and ends by
 * itself, as nothing may keep it alive.
 */
const [executor, device, threads] = process.argv.slice(2) as [ExecutorName, DeviceName, string]
// Large enough that onnxruntime parallelises its operators.
const config = { ...TINY_CONFIG, vocabularySize: 300, hiddenSize: 64, intermediateSize: 160, headSize: 16 }
const lora = { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] }
const chosen = await chooseExecutor({ executor, device, threads: Number(threads) })
const trainer = await createLoraTrainer({
  config,
  ...lora,
  batchSize: 2,
  sequenceLength: 64,
  executor: chosen
})
const { adapter } = await trainer.train({
  weights: initialiseLlama(config, 1),
  seed: 5,
  steps: 3,
  nextBatch: (step) => randomBatch(config, 2, 64, step),
  schedule: { kind: 'cosine', learningRate: 2e-2, warmupSteps: 1 }
})
await trainer.dispose()
process.stdout.write(
  createHash('sha256')
    .update(encodeAdapterFile({ adapter, samples: 6 }))
    .digest('hex')
)
