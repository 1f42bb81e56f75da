import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { Command, Option } from 'commander'
import { PACKINGS } from '../../../data/packing/example-stream.ts'
import { RECORD_FORMATS } from '../../../data/records/formats.ts'
import type { ModelConfig } from '../../../model/families/index.ts'
import type { HeldWeights } from '../../../model/weights/held-weights.ts'
import {
  deviceOption,
  type ExecutorFlags,
  executorFromFlags,
  executorOption
} from '../../options/executor-options.ts'
import { baseModelFolder, requireBaseModel } from '../../options/shipped-model.ts'
import { commaSeparated, positiveNumber, printResult, wholeNumber } from '../../terminal/output.ts'
import { NotFittingError } from '../../terminal/usage-error.ts'
import { loadTrainSettings, type TrainSettings } from './train-settings.ts'
import { openTrainingLog } from './training-log.ts'
import { createProgressLine } from './training-progress.ts'

/** What lies in the folder of a run beside the adapter. */
const LOG_FILE = 'training-log.jsonl'
const CHECKPOINT_FILE = 'checkpoint.safetensors'

/** Tokens a row where nothing is said: what small models were trained on. */
const DEFAULT_SEQUENCE_LENGTH = 128
/** Share of the steps over which the learning rate rises where nothing is said. */
const DEFAULT_WARMUP_SHARE = 0.05
/** Alpha where none is given: the papers' 2r. */
const ALPHA_PER_RANK = 2

interface TrainFlags extends ExecutorFlags, Partial<Omit<TrainSettings, 'template'>> {
  config?: string
  resume?: boolean
  overwrite?: boolean
  json?: boolean
}

/** `loam train`: fine-tunes a LoRA adapter on this machine, without a network. */
export function trainCommand(): Command {
  const count = (name: string, minimum = 1) => wholeNumber(name, minimum)
  return new Command('train')
    .description('fine-tune a LoRA adapter on this machine alone: no network, no consortium')
    .option('--model <folder>', 'base model folder (default: the model that Loam ships)')
    .option('--data <path>', 'training data: .txt, .md, .jsonl, .json, .csv, .tsv, or a folder of them')
    .option('--out <folder>', 'where the adapter (PEFT), the log and checkpoints go')
    .addOption(
      new Option('--format <name>', 'what the records are (default: told by their keys)').choices(
        RECORD_FORMATS
      )
    )
    .option(
      '--chat-template <file>',
      "Jinja template for conversations, or chatml (default: the model's own)"
    )
    .option('--rank <r>', 'LoRA rank (default: 8)', count('--rank'))
    .option('--alpha <n>', 'LoRA alpha (default: twice the rank)', positiveNumber('--alpha'))
    .option(
      '--target-modules <list>',
      'linear modules by name, ending or pattern, or all-linear (default: q_proj,v_proj; GPT-2: c_attn)',
      commaSeparated
    )
    .option('--rs-lora', 'scale by alpha / √rank (rsLoRA) instead of alpha / rank')
    .option(
      '--dropout <share>',
      'share of what A reads that is dropped in training (default: 0)',
      fraction('--dropout')
    )
    .option('--recompute', 'compute layers again in the backward pass: less memory, more time')
    .addOption(
      new Option('--base-format <name>', 'how frozen weights are held (default: f32)').choices([
        'f32',
        'f16',
        'int8',
        'int4'
      ])
    )
    .option('--steps <n>', 'updates to make', count('--steps'))
    .option(
      '--epochs <n>',
      'passes over the data (default: 1, where --steps is not given)',
      positiveNumber('--epochs')
    )
    .option('--batch-size <n>', 'rows a batch (default: 8)', count('--batch-size'))
    .option('--accumulation <n>', 'batches an update (default: 1)', count('--accumulation'))
    .option(
      '--sequence-length <n>',
      "tokens a row (default: 128, at most the model's positions)",
      count('--sequence-length', 2)
    )
    .addOption(
      new Option(
        '--packing <how>',
        'documents across row ends, isolated in rows, or none (default: across for text, else isolated)'
      ).choices(PACKINGS)
    )
    .addOption(
      new Option(
        '--loss <which>',
        'what is learned of instructions and chats (default: completions)'
      ).choices(['completions', 'all'])
    )
    .option(
      '--learning-rate <n>',
      'highest learning rate (default: 0.001)',
      positiveNumber('--learning-rate')
    )
    .addOption(
      new Option('--schedule <kind>', 'how the rate runs (default: cosine)').choices(['cosine', 'constant'])
    )
    .option(
      '--warmup-steps <n>',
      'updates over which the rate rises (default: 5 %)',
      count('--warmup-steps', 0)
    )
    .option('--weight-decay <n>', 'decay of AdamW (default: 0)', nonNegative('--weight-decay'))
    .option('--clip-norm <n>', 'limit of the gradient norm (default: 1)', positiveNumber('--clip-norm'))
    .option(
      '--seed <n>',
      'seed of the adapter, the order and what is held out (default: 1)',
      count('--seed', 0)
    )
    .option(
      '--held-out <share>',
      'share of the examples to evaluate on instead of training',
      fraction('--held-out')
    )
    .option('--eval-data <path>', 'data to evaluate on, in place of --held-out')
    .option(
      '--eval-every <n>',
      'updates between two evaluations (default: before and after only)',
      count('--eval-every')
    )
    .option(
      '--patience <n>',
      'evaluations without a new best after which training stops',
      count('--patience')
    )
    .option('--checkpoint-every <n>', 'updates between two checkpoints', count('--checkpoint-every'))
    .option('--resume', "go on from --out's checkpoint; begins anew where there is none")
    .option('--overwrite', 'begin anew although --out holds a checkpoint')
    .option('--threads <n>', 'threads (default: 1)', wholeNumber('--threads', 1, 256))
    .addOption(executorOption())
    .addOption(deviceOption())
    .option(
      '--config <file>',
      'JSON file with these settings in camelCase, and "template", "rankPattern", "alphaPattern"; flags go over it'
    )
    .option('--json', 'print one JSON object: { "out", "adapterDigest", "steps", "loss", "heldOutLoss", … }')
    .addHelpText(
      'after',
      `
Records are told by their keys: text; instruction, input, output (Alpaca); instruction, context, response (Dolly);
conversations (ShareGPT); messages; prompt, completion. For others a config has a template:
  { "template": { "prompt": "Q: {question}\\nA: ", "completion": "{answer}" } }

The same data, settings, seed and executor give the same adapter on one machine, to the bit, whatever the number of
threads and however often the run was killed and resumed.

Examples:
  $ loam train --data notes/ --out my-adapter --steps 200
  $ loam train --model models/tinyllama --data alpaca.jsonl --out out --rank 16 --epochs 3 \\
      --held-out 0.05 --eval-every 50 --patience 3 --checkpoint-every 50
  $ loam generate --adapter my-adapter --prompt "Dear colleagues,"`
    )
    .action(train)
}

async function train(flags: TrainFlags): Promise<void> {
  const { config: file, resume = false, overwrite = false, json: _, executor, device, ...given } = flags
  const settings = await loadTrainSettings(file, given)
  const model = await import('../../../model/index.ts')
  const { writePeftFolder } = await import('../../../node/export/peft-files.ts')
  const { PEFT_WEIGHTS_FILE } = await import('../../../adapter/index.ts')
  const { sha256Hex } = await import('../../../formats/index.ts')

  const { out, rank, alpha = ALPHA_PER_RANK * rank, batchSize, accumulation, threads } = settings
  const checkpointPath = join(out, CHECKPOINT_FILE)
  if (!resume && !overwrite && existsSync(checkpointPath))
    throw new Error(
      `${out} holds the checkpoint of an earlier run: go on with --resume, begin anew with --overwrite, or give another --out`
    )
  const folder = baseModelFolder(settings.model)
  requireBaseModel(folder)
  const { config, tokenizer } = model.describeBaseModel(folder)
  const sequenceLength = settings.sequenceLength ?? Math.min(DEFAULT_SEQUENCE_LENGTH, config.maxPositions)
  if (sequenceLength > config.maxPositions)
    throw new NotFittingError(
      `--sequence-length ${sequenceLength} is more than the model's ${config.maxPositions} positions`
    )
  const progress = createProgressLine()
  const data = await model.loadTrainingData({ ...settings, folder, tokenizer, sequenceLength })
  const steps =
    settings.steps ?? Math.ceil(((settings.epochs ?? 1) * data.stream.rows) / (batchSize * accumulation))
  const { heldOutExamples } = data
  progress.note(
    `${data.examples} examples (${data.format}), ${data.stream.targets} targets in ${data.stream.rows} rows an epoch, ` +
      `${heldOutExamples > 0 ? `${heldOutExamples} held out, ` : ''}${steps} steps`
  )
  await mkdir(out, { recursive: true })

  const weights = model.loadHeldWeights(folder, config, settings.baseFormat)
  const targetModules = settings.targetModules ?? attentionModules(config)
  const isolateDocuments = data.packing === 'isolated'
  const shape = { config, batchSize, sequenceLength, isolateDocuments }
  const chosen = await executorFromFlags({
    ...(executor && { executor }),
    ...(device && { device }),
    threads
  })
  const { rankPattern, alphaPattern, rsLora, dropout, recompute, baseFormat } = settings
  const lora = {
    ...{ rank, alpha, targetModules, rsLora, dropout, recompute, baseFormat },
    ...(rankPattern && { rankPattern }),
    ...(alphaPattern && { alphaPattern })
  }
  const trainer = await model.createLoraTrainer({ ...shape, ...lora, executor: chosen })
  const evaluator =
    data.heldOut && (await model.createLossEvaluator({ ...shape, lora, baseFormat, executor: chosen }))
  const warmupSteps = settings.warmupSteps ?? Math.round(DEFAULT_WARMUP_SHARE * steps)
  const { schedule: kind, learningRate } = settings
  const tokensAStep = batchSize * accumulation * sequenceLength
  const stopping = stopOnSignals()
  let log: ReturnType<typeof openTrainingLog> | undefined
  let started = performance.now()
  let startStep = 0
  try {
    const result = await model.trainLocally({
      trainer,
      weights,
      stream: data.stream,
      seed: settings.seed,
      steps,
      accumulation,
      schedule: { kind, learningRate, warmupSteps },
      optimizer: { weightDecay: settings.weightDecay },
      clipNorm: settings.clipNorm,
      heldOut:
        data.heldOut && evaluator
          ? { stream: data.heldOut, evaluator, every: settings.evalEvery, patience: settings.patience }
          : undefined,
      checkpoint: {
        path: checkpointPath,
        every: settings.checkpointEvery,
        resume,
        settings: runSettings(settings, {
          ...{ steps, ...lora, sequenceLength, warmupSteps, data: data.digest, config },
          weights: sampleDigest(weights),
          executor: chosen.name
        })
      },
      signal: stopping.signal,
      onStart: (resumedAt) => {
        log = openTrainingLog(join(out, LOG_FILE), resumedAt)
        if (resumedAt !== undefined) progress.note(`going on from step ${resumedAt}`)
        startStep = resumedAt ?? 0
        started = performance.now()
      },
      onHeldOut: (step, loss) => {
        log?.write({ step, heldOutLoss: loss })
        progress.note(`step ${step}: held-out loss ${loss.toFixed(4)}`)
      },
      onStep: (done) => {
        const { step, loss, learningRate: rate, gradientNorm, tokens } = done
        const seconds = (performance.now() - started) / 1000
        log?.write({ step, loss, learningRate: rate, gradientNorm, tokens, seconds: round(seconds, 3) })
        progress.show({
          step,
          steps,
          loss,
          tokensPerSecond: ((step - startStep) * tokensAStep) / seconds,
          secondsLeft: (seconds / (step - startStep)) * (steps - step)
        })
      }
    })
    const seconds = (performance.now() - started) / 1000
    progress.end()
    await writePeftFolder(out, result.adapter, folder, 'F32', rsLora)
    const adapterDigest = sha256Hex(await readFile(join(out, PEFT_WEIGHTS_FILE)))
    const report = {
      out,
      adapterDigest,
      steps: result.steps,
      stoppedEarly: result.stoppedEarly,
      ...(result.bestStep !== undefined && { bestStep: result.bestStep }),
      examples: data.examples,
      heldOutExamples,
      tokens: result.tokens,
      loss: result.loss,
      heldOutLoss: result.heldOutLoss ?? null,
      tokensPerSecond: round(((result.steps - startStep) * tokensAStep) / seconds, 1),
      seconds: round(seconds, 3)
    }
    printResult(report, flags, () => describe(report))
  } catch (error) {
    progress.end()
    if (!stopping.signal.aborted) throw error
    throw new Error(`stopped; a checkpoint is in ${checkpointPath}: go on with --resume`)
  } finally {
    stopping.release()
    await trainer.dispose()
    await evaluator?.dispose()
  }
}

interface Report {
  readonly out: string
  readonly adapterDigest: string
  readonly steps: number
  readonly stoppedEarly: boolean
  readonly bestStep?: number
  readonly loss: { readonly first: number; readonly last: number }
  readonly heldOutLoss: { readonly before: number; readonly after: number } | null
  readonly tokensPerSecond: number
}

function describe(report: Report): string {
  const { loss, heldOutLoss } = report
  const early = report.stoppedEarly ? ', stopped early' : ''
  const best = report.bestStep === undefined ? '' : `, best at step ${report.bestStep}`
  return [
    `adapter         ${report.out}`,
    `digest          ${report.adapterDigest}`,
    `steps           ${report.steps}${early}${best}`,
    `training loss   ${loss.first.toFixed(4)} at first, ${loss.last.toFixed(4)} at last`,
    ...(heldOutLoss
      ? [`held-out loss   ${heldOutLoss.before.toFixed(4)} before, ${heldOutLoss.after.toFixed(4)} after`]
      : []),
    `tokens/s        ${report.tokensPerSecond}`
  ].join('\n')
}

/** What is adapted where nothing is said: queries and values, as LoRA's and FLoRA's papers do; in GPT-2 one module. */
function attentionModules(config: ModelConfig): string[] {
  return config.family === 'gpt2' ? ['c_attn'] : ['q_proj', 'v_proj']
}

/** All that a run's bits depend on. What only says where things are, or how often one looks, may change on resuming. */
function runSettings(
  settings: TrainSettings,
  derived: { readonly data: string; readonly config: object } & Record<string, unknown>
): Record<string, unknown> {
  const { batchSize, accumulation, packing, schedule, learningRate } = settings
  const { weightDecay, clipNorm, seed, patience, evalEvery } = settings
  // An evaluation changes nothing but whether and at which step the run stops.
  const stopping = patience === undefined ? {} : { patience, evalEvery }
  const chosen = { batchSize, accumulation, packing, schedule, learningRate }
  return JSON.parse(JSON.stringify({ ...chosen, weightDecay, clipNorm, seed, ...stopping, ...derived }))
}

/** Elements of each tensor that tell two models of one shape apart. */
const SAMPLED_ELEMENTS = 1024

/** A digest of the beginning of every tensor: whether a checkpoint is of the same base, without reading all of it. */
function sampleDigest({ feeds }: HeldWeights): string {
  const hash = createHash('sha256')
  for (const [name, data] of feeds) {
    const { buffer, byteOffset } = data
    const bytes = Math.min(data.length, SAMPLED_ELEMENTS) * data.BYTES_PER_ELEMENT
    hash.update(name).update(new Uint8Array(buffer, byteOffset, bytes))
  }
  return hash.digest('hex')
}

/** Lets Ctrl-C and SIGTERM end the run after its step; a second one ends it at once. */
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

function fraction(name: string): (text: string) => number {
  return (text) => {
    const value = positiveNumber(name)(text)
    if (value < 1) return value
    throw new NotFittingError(`${name} must be a share between 0 and 1, not ${text}`)
  }
}

function nonNegative(name: string): (text: string) => number {
  return (text) => (Number(text) === 0 && text.trim() !== '' ? 0 : positiveNumber(name)(text))
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
