// One run of Loam's LoRA trainer on a problem, in a process of its own: loam-process.js FOLDER THREADS STEPS
import { InferenceSession } from 'onnxruntime-node'
import { peakMemoryMb } from '../../lab/processes/peak-memory.ts'
import { createLoraTrainer } from '../../src/model/index.ts'
import { type Measurement, WARM_UP_STEPS } from './measurement.ts'
import { readProblem } from './problem.ts'

const [folder, threads, measured] = process.argv.slice(2)
const steps = WARM_UP_STEPS + Number(measured)
const { problem, weights, batch } = readProblem(folder!)

// The library's own work is timed where it is called, so that everything else counts as outside.
let insideMs = 0
const create = InferenceSession.create.bind(InferenceSession) as (
  ...args: unknown[]
) => Promise<InferenceSession>
InferenceSession.create = async (...args: unknown[]) => {
  const session = await create(...args)
  const run = session.run.bind(session) as (...args: unknown[]) => ReturnType<InferenceSession['run']>
  session.run = async (...runArgs: unknown[]) => {
    const start = performance.now()
    const results = await run(...runArgs)
    insideMs += performance.now() - start
    return results
  }
  return session
}

const trainer = await createLoraTrainer({
  config: problem.config,
  rank: problem.rank,
  alpha: problem.alpha,
  targetModules: problem.targetModules,
  batchSize: problem.batchSize,
  sequenceLength: problem.sequenceLength,
  threads: Number(threads)
})
const stepMs: number[] = []
let insideBefore = 0
let last = performance.now()
const { losses } = await trainer.train({
  weights,
  seed: problem.seed,
  steps,
  nextBatch: () => batch,
  schedule: { kind: 'constant', learningRate: problem.learningRate },
  clipNorm: problem.clipNorm,
  onStep: ({ step }) => {
    const now = performance.now()
    if (step > WARM_UP_STEPS) stepMs.push(now - last)
    else insideBefore = insideMs
    last = now
  }
})
await trainer.dispose()
const total = stepMs.reduce((sum, ms) => sum + ms, 0)
const measurement: Measurement = {
  losses,
  stepMs,
  outsideMs: (total - (insideMs - insideBefore)) / stepMs.length,
  rssMB: peakMemoryMb()
}
console.log(JSON.stringify(measurement))
