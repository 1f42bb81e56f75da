import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { PEFT_WEIGHTS_FILE } from '../../../adapter/index.ts'
import { fileDigest } from '../../../formats/index.ts'
import {
  type BaseModelDescription,
  createLoraTrainer,
  createLossEvaluator,
  describeBaseModel,
  type Executor,
  type LocalTrainingOptions,
  type LoraSettings,
  type LoraTrainer,
  type LossEvaluator,
  linearModules,
  loadHeldWeights,
  loadTrainingData,
  type ModelConfig,
  type TrainingData,
  trainLocally
} from '../../../model/index.ts'
import { alphaOf, TRAINING_DEFAULTS } from '../../../node/config/index.ts'
import { writePeftFolder } from '../../../node/export/peft-files.ts'
import { requireFreeFolder, requireOtherFolder } from '../../../node/storage/index.ts'
import { hex } from '../../../protocol/index.ts'
import { executorFromFlags } from '../../options/executor-options.ts'
import { baseModelFolder, requireBaseModel } from '../../options/shipped-model.ts'
import { type OutputOptions, printResult } from '../../terminal/output.ts'
import { UsageError } from '../../terminal/usage-error.ts'
import { runIdentity, sampleDigest } from './run-identity.ts'
import type { TrainSettings } from './settings.ts'
import { openTrainingLog, type TrainingLog } from './training-log.ts'
import { createProgressLine, type ProgressLine } from './training-progress.ts'
import { round, trainingReport, trainingReportText } from './training-report.ts'

/** Files in the folder of a run besides the adapter. */
const LOG_FILE = 'training-log.jsonl'
const CHECKPOINT_FILE = 'checkpoint.safetensors'
/** Default share of the steps over which the learning rate rises. */
const DEFAULT_WARMUP_SHARE = 0.05

/** What to do with an existing checkpoint, and how to print the result. */
interface RunOptions extends OutputOptions {
  readonly resume?: boolean
  readonly overwrite?: boolean
}

/** A run before its first step. */
interface PreparedRun {
  readonly settings: TrainSettings
  readonly base: BaseModelDescription
  readonly data: TrainingData
  readonly lora: LoraSettings
  readonly steps: number
  readonly warmupSteps: number
  readonly sequenceLength: number
  readonly checkpointPath: string
}

/** Trains an adapter and writes it, with its log and checkpoints. */
export async function runTraining(settings: TrainSettings, options: RunOptions): Promise<void> {
  const progress = createProgressLine()
  const run = await prepareRun(settings, options, progress)
  const { base, data, lora, sequenceLength } = run
  const { out, batchSize, baseFormat } = settings
  await mkdir(out, { recursive: true })
  if (options.resume !== true) await rm(run.checkpointPath, { force: true })
  const executor = await executorFromFlags(settings)
  const isolateDocuments = data.packing === 'isolated'
  const shape = { config: base.config, batchSize, sequenceLength, isolateDocuments, baseFormat, executor }
  const trainer = await createLoraTrainer({ ...shape, ...lora, recompute: settings.recompute })
  const evaluator = data.heldOut && (await createLossEvaluator({ ...shape, lora }))
  const stopping = stopOnSignals()
  const observed = observe(run, progress)
  try {
    const result = await trainLocally({
      ...trainingOptions(run, { trainer, evaluator, executor }, options.resume === true),
      ...observed.callbacks,
      signal: stopping.signal
    })
    const speed = observed.speed(result.steps)
    progress.end()
    await writePeftFolder(out, result.adapter, base.folder, 'F32', settings.rsLora)
    const adapterDigest = hex(await fileDigest(join(out, PEFT_WEIGHTS_FILE)))
    const report = trainingReport(result, data, { out, adapterDigest }, speed)
    printResult(report, options, () => trainingReportText(report))
  } catch (error) {
    progress.end()
    if (!stopping.signal.aborted) throw error
    throw new Error(`stopped; a checkpoint is in ${run.checkpointPath}: continue with --resume`)
  } finally {
    stopping.release()
    await trainer.dispose()
    await evaluator?.dispose()
  }
}

/** Reads model and data, and derives the settings left open. */
async function prepareRun(
  settings: TrainSettings,
  { resume = false, overwrite = false }: RunOptions,
  progress: ProgressLine
): Promise<PreparedRun> {
  const { out, batchSize, accumulation } = settings
  const checkpointPath = join(out, CHECKPOINT_FILE)
  const folder = baseModelFolder(settings.model)
  const read = { 'the base model': folder, 'the data': settings.data, 'the held-out data': settings.evalData }
  await requireOtherFolder(out, read)
  await requireOutFolder(out, { resume, overwrite })
  requireBaseModel(folder)
  const base = describeBaseModel(folder)
  const sequenceLength = sequenceLengthOf(settings, base.config)
  const data = await loadTrainingData({ ...settings, folder, tokenizer: base.tokenizer, sequenceLength })
  const steps =
    settings.steps ?? Math.ceil(((settings.epochs ?? 1) * data.stream.rows) / (batchSize * accumulation))
  const heldOut = data.heldOutExamples > 0 ? `${data.heldOutExamples} held out, ` : ''
  progress.note(
    `${data.examples} examples (${data.format}), ${data.stream.targets} targets in ${data.stream.rows} rows per epoch, ` +
      `${heldOut}${steps} steps`
  )
  for (const note of data.notes) progress.note(note)
  const warmupSteps = settings.warmupSteps ?? Math.round(DEFAULT_WARMUP_SHARE * steps)
  const lora = loraOf(settings, base.config)
  return { settings, base, data, lora, steps, warmupSteps, sequenceLength, checkpointPath }
}

/**
 * @throws {Error} when the folder contains foreign files, or an earlier run's that may be neither continued nor
 * replaced
 */
async function requireOutFolder(
  out: string,
  { resume = false, overwrite = false }: RunOptions
): Promise<void> {
  const hasCheckpoint = existsSync(join(out, CHECKPOINT_FILE))
  if (resume && hasCheckpoint) return
  if (hasCheckpoint && !overwrite)
    throw new Error(
      `${out} contains the checkpoint of an earlier run: continue it with --resume, start over with --overwrite, or choose another --out`
    )
  // A run killed before its first checkpoint leaves only its log.
  await requireFreeFolder(out, overwrite, resume ? [LOG_FILE] : [])
}

function sequenceLengthOf({ sequenceLength }: TrainSettings, { maxPositions }: ModelConfig): number {
  if (sequenceLength === undefined) return Math.min(TRAINING_DEFAULTS.sequenceLength, maxPositions)
  if (sequenceLength <= maxPositions) return sequenceLength
  throw new UsageError(
    `--sequence-length ${sequenceLength} is more than the model's ${maxPositions} positions`
  )
}

function loraOf(settings: TrainSettings, config: ModelConfig): LoraSettings {
  const { rank, rankPattern, alphaPattern, rsLora, dropout } = settings
  return {
    ...{ rank, rsLora, dropout, alpha: alphaOf(settings) },
    targetModules: settings.targetModules ?? attentionModules(config),
    ...(rankPattern && { rankPattern }),
    ...(alphaPattern && { alphaPattern })
  }
}

/**
 * Modules adapted by default: queries and values, as in the papers on LoRA and FLoRA; in GPT-2 and Phi one
 * module contains both.
 */
function attentionModules(config: ModelConfig): string[] {
  const names = [...linearModules(config).keys()]
  const ofAll = ['c_attn', 'qkv_proj'].find((one) => names.some((name) => name.endsWith(`.${one}`)))
  return ofAll === undefined ? ['q_proj', 'v_proj'] : [ofAll]
}

/** The executor of a run. */
interface RunEngines {
  readonly trainer: LoraTrainer
  readonly evaluator: LossEvaluator | undefined
  readonly executor: Executor
}

function trainingOptions(
  { settings, base, data, lora, steps, warmupSteps, sequenceLength, checkpointPath }: PreparedRun,
  { trainer, evaluator, executor }: RunEngines,
  resume: boolean
): LocalTrainingOptions {
  const { baseFormat, recompute, schedule, learningRate, evalEvery: every, patience } = settings
  const weights = loadHeldWeights(base.folder, base.config, baseFormat)
  return {
    trainer,
    weights,
    stream: data.stream,
    seed: settings.seed,
    steps,
    accumulation: settings.accumulation,
    schedule: { kind: schedule, learningRate, warmupSteps },
    optimizer: { weightDecay: settings.weightDecay },
    clipNorm: settings.clipNorm,
    heldOut: data.heldOut && evaluator ? { stream: data.heldOut, evaluator, every, patience } : undefined,
    checkpoint: {
      path: checkpointPath,
      every: settings.checkpointEvery,
      resume,
      settings: runIdentity(settings, {
        ...{ steps, ...lora, recompute, baseFormat, sequenceLength, warmupSteps },
        ...{
          data: data.digest(),
          config: base.config,
          weights: sampleDigest(weights),
          executor: executor.name
        }
      })
    }
  }
}

/** Reports a run to its log and the terminal. */
function observe({ settings, steps, sequenceLength }: PreparedRun, progress: ProgressLine) {
  const tokensPerStep = settings.batchSize * settings.accumulation * sequenceLength
  let log: TrainingLog | undefined
  let started = performance.now()
  let startStep = 0
  const speed = (step: number) => ({
    tokensDone: (step - startStep) * tokensPerStep,
    seconds: (performance.now() - started) / 1000
  })
  const callbacks: Pick<LocalTrainingOptions, 'onStart' | 'onHeldOut' | 'onStep'> = {
    onStart: (resumedAt) => {
      log = openTrainingLog(join(settings.out, LOG_FILE), resumedAt)
      if (resumedAt !== undefined) progress.note(`continuing from step ${resumedAt}`)
      startStep = resumedAt ?? 0
      started = performance.now()
    },
    onHeldOut: (step, loss) => {
      log?.write({ step, heldOutLoss: loss })
      progress.note(`step ${step}: held-out loss ${loss.toFixed(4)}`)
    },
    onStep: ({ step, loss, learningRate, gradientNorm, tokens }) => {
      const { tokensDone, seconds } = speed(step)
      log?.write({ step, loss, learningRate, gradientNorm, tokens, seconds: round(seconds, 3) })
      const secondsLeft = (seconds / (step - startStep)) * (steps - step)
      progress.show({ step, steps, loss, tokensPerSecond: tokensDone / seconds, secondsLeft })
    }
  }
  return { callbacks, speed }
}

/** Lets Ctrl-C and SIGTERM end the run after the current step; a second one ends it at once. */
function stopOnSignals(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const stop = (): void => {
    controller.abort(new Error('stopped'))
    release()
  }
  const release = (): void => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop)
  }
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop)
  return { signal: controller.signal, release }
}
