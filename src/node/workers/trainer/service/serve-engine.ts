import {
  chooseExecutor,
  createLoraTrainer,
  type ExecutorChoice,
  type LoraTrainer,
  learningRateAt
} from '../../../../model/index.ts'
import { packageVersion } from '../../../../package-root.ts'
import type { TrainingConfig } from '../../../config/index.ts'
import { writePeftFolder } from '../../../export/peft-files.ts'
import { messageOf } from '../../../storage/peer-error.ts'
import {
  CONTRACT_VERSION,
  type ContractAnswer,
  requestSchema,
  type TrainRequest
} from '../external/contract.ts'
import { createHeldBase } from '../held-base.ts'
import { openBatches } from './read-batches.ts'
import type { TrainerEnd } from './trainer-end.ts'

/** Settings of the engine that are not part of a request. */
export type EngineSettings = ExecutorChoice & Pick<TrainingConfig, 'baseFormat' | 'recompute' | 'threads'>

/** A running training. */
interface Running {
  readonly id: number
  readonly cancel: AbortController
  isFinishing: boolean
}

/** Serves Loam's engine as a trainer that follows the contract (docs/trainers.md). Returns when the requests end. */
export async function serveEngine(end: TrainerEnd, settings: EngineSettings): Promise<void> {
  const train = createEngine(settings)
  let running: Running | undefined
  let last: Promise<void> = Promise.resolve()
  await end.answer({
    type: 'ready',
    contract: CONTRACT_VERSION,
    name: 'loam',
    version: packageVersion(),
    precision: settings.baseFormat,
    features: ['finish']
  })

  const answerTo = async (request: TrainRequest, current: Running): Promise<void> => {
    const { id } = request
    try {
      await end.answer(await train(request, current, (answer) => end.answer(answer)))
    } catch (error) {
      const { aborted } = current.cancel.signal
      await end.answer(
        aborted ? { type: 'cancelled', id } : { type: 'failed', id, reason: messageOf(error).slice(0, 2_000) }
      )
    }
  }

  for await (const json of end.requests) {
    const request = requestSchema.parse(json)
    if (request.type === 'train') {
      const current: Running = { id: request.id, cancel: new AbortController(), isFinishing: false }
      running = current
      last = last.then(() => answerTo(request, current))
    } else if (request.type === 'evaluate') {
      await end.answer({ type: 'failed', id: request.id, reason: 'this trainer does not support evaluation' })
    } else if (running?.id === request.id) {
      if (request.type === 'cancel') running.cancel.abort()
      else running.isFinishing = true
    }
  }
  running?.cancel.abort()
  await last
}

type Train = (
  request: TrainRequest,
  running: Running,
  answer: (answer: ContractAnswer) => Promise<void>
) => Promise<ContractAnswer>

/** Keeps the base weights and the compiled step between requests. */
function createEngine(settings: EngineSettings): Train {
  const base = createHeldBase()
  let compiled: { readonly key: string; readonly trainer: LoraTrainer } | undefined

  const trainerFor = async (
    { modules, rank, alpha, rsLora, training, base: folder }: TrainRequest,
    shape: { batchSize: number; sequenceLength: number; isolateDocuments: boolean }
  ): Promise<LoraTrainer> => {
    const lora = { rank, alpha, targetModules: modules, rsLora, dropout: training.dropout }
    const key = JSON.stringify([folder, lora, shape])
    if (compiled?.key === key) return compiled.trainer
    await compiled?.trainer.dispose()
    const { recompute, baseFormat } = settings
    const { config } = base.describe(folder)
    const executor = await chooseExecutor(settings)
    const trainer = await createLoraTrainer({ config, ...lora, ...shape, recompute, baseFormat, executor })
    compiled = { key, trainer }
    return trainer
  }

  return async (request, running, answer) => {
    const { id, training, base: baseFolder, merged, output } = request
    const { steps, learningRate, warmupSteps, weightDecay, clipNorm } = training
    const batches = openBatches(request.batches)
    try {
      const { batchSize, sequenceLength, isIsolated } = batches
      const trainer = await trainerFor(request, { batchSize, sequenceLength, isolateDocuments: isIsolated })
      const weights = base.weights({
        baseFolder,
        modelFile: merged ?? undefined,
        training: { baseFormat: settings.baseFormat }
      })
      const run = trainer.begin({ weights, seed: request.seed, optimizer: { weightDecay }, clipNorm })
      const schedule = { kind: 'cosine', learningRate, warmupSteps } as const
      let tokens = 0
      for (let step = 0; step < steps && !(running.isFinishing && step > 0); step++) {
        running.cancel.signal.throwIfAborted()
        const done = await run.step(batches.at(step), learningRateAt(schedule, step, steps))
        tokens += done.tokens
        await answer({ type: 'progress', id, step: step + 1, steps, loss: done.loss })
        // Requests are read between steps.
        await new Promise((resolve) => setImmediate(resolve))
      }
      await writePeftFolder(output, run.adapter, baseFolder, 'F32', request.rsLora)
      return { type: 'result', id, folder: output, steps: run.stepsDone, tokens }
    } finally {
      batches.close()
    }
  }
}
