// The same LoRA step on one executor, in a process of its own: step-process.js SHAPE EXECUTOR DEVICE THREADS STEPS

import { peakMemoryMb } from '../../lab/processes/peak-memory.ts'
import {
  createExecutor,
  createSeededRandom,
  createTrainStep,
  type DeviceName,
  type ExecutorName,
  initialiseLlama
} from '../../src/model/index.ts'
import { median } from '../support/median.ts'
import { benchShapes } from '../train/shapes.ts'

/** What the process prints, as JSON on its last line. */
export interface StepMeasurement {
  /** Median milliseconds a step. */
  readonly ms: number
  readonly loss: number
  readonly rssMB: number
}

const [name, executor, device, threads, steps] = process.argv.slice(2)
const { config, batchSize, sequenceLength } = benchShapes().find((shape) => shape.name === name)!
const which = { executor: executor as ExecutorName, device: device as DeviceName }
const step = await createTrainStep({
  config,
  trainable: { kind: 'lora', rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] },
  batchSize,
  sequenceLength,
  executor: createExecutor(which, { threads: Number(threads) })
})
const random = createSeededRandom(7)
const parameters = new Map([...initialiseLlama(config, 1)].map(([key, { data }]) => [key, data]))
for (const [key, [rows, columns]] of step.trainableShapes)
  parameters.set(
    key,
    Float32Array.from({ length: rows! * columns! }, () => random.normal() / 10)
  )
const tokens = batchSize * sequenceLength
const ids = () => Int32Array.from({ length: tokens }, () => random.nextUint32() % config.vocabularySize)
const batch = {
  batchSize,
  sequenceLength,
  inputIds: ids(),
  targetIds: ids(),
  targetWeights: new Float32Array(tokens).fill(1)
}
const times: number[] = []
let loss = Number.NaN
for (let index = 0; index <= Number(steps); index++) {
  const began = performance.now()
  loss = (await step.step(parameters, batch)).loss
  // The first one warms up.
  if (index > 0) times.push(performance.now() - began)
}
await step.dispose()
const measurement: StepMeasurement = { ms: median(times), loss, rssMB: peakMemoryMb() }
console.log(JSON.stringify(measurement))
