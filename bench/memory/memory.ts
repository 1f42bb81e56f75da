import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { answerParent, inChild } from '../../lab/processes/in-child.ts'
import { loadDomain } from '../../src/data/index.ts'
import { createBatchStream } from '../../src/data/packing/packing.ts'
import {
  BASE_FORMATS,
  type BaseFormat,
  createEvaluator,
  createLoraTrainer,
  heldBytes,
  loadBaseModel,
  loadHeldWeights
} from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { writeRandomFolder } from '../large/random-folder.ts'
import { parseBench, positiveInteger } from '../support/options.ts'
import { SHAPE_110M } from './shape.ts'

interface Task {
  readonly folder: string
  readonly format: BaseFormat
  readonly recompute: boolean
  readonly steps: number
  readonly batch: number
  readonly tokens: number
  readonly threads: number
  /** Whether to evaluate the adapter on text that it was not trained on. */
  readonly heldOut: boolean
}

interface BenchOptions {
  readonly steps: number
  readonly batch: number
  readonly tokens: number
  readonly threads: number
}

interface Measured {
  readonly heldMB: number
  /** Of the first step, with the base in its format in memory, nats. */
  readonly baseLoss: number
  /** Of the adapter on the float32 base, nats. */
  readonly heldOutLoss?: number
  readonly stepMs: number
}

/** Documents held out from training. */
const HELD_OUT_DOCUMENTS = 6

async function work(task: Task): Promise<Measured> {
  const { folder, format, recompute, steps, batch, tokens, threads } = task
  const base = task.heldOut ? loadBaseModel(folder) : undefined
  const { config, tokenizer } = base ?? loadBaseModel(join(packageRoot(), 'models/loam-base-1m'))
  const shape = base ? config : SHAPE_110M
  const weights = loadHeldWeights(folder, shape, format)
  const texts = (await loadDomain('moby-dick')).documents.map(({ text }) => text)
  const documents = texts.slice(HELD_OUT_DOCUMENTS)
  const stream = createBatchStream({
    documents,
    tokenizer,
    batchSize: batch,
    sequenceLength: tokens,
    seed: 1
  })
  const trainer = await createLoraTrainer({
    config: shape,
    rank: 8,
    alpha: 16,
    targetModules: ['q_proj', 'v_proj'],
    batchSize: batch,
    sequenceLength: tokens,
    baseFormat: format,
    recompute,
    threads
  })
  const run = trainer.begin({ weights, seed: 1 })
  let baseLoss = Number.NaN
  const times: number[] = []
  for (let step = 0; step < steps; step++) {
    const begin = performance.now()
    const { loss } = await run.step(stream.nextBatch(step), 3e-3)
    times.push(performance.now() - begin)
    if (step === 0) baseLoss = loss
  }
  await trainer.dispose()
  const measured = {
    heldMB: heldBytes(weights) / 1e6,
    baseLoss,
    stepMs: times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!
  }
  if (!base) return measured
  const evaluator = await createEvaluator({ config, context: 128, threads })
  const ids = texts.slice(0, HELD_OUT_DOCUMENTS).flatMap((text) => tokenizer.encode(text))
  const { nats } = await evaluator.score({ weights: base.weights, adapter: run.adapter, ids })
  return { ...measured, heldOutLoss: nats }
}

async function main(): Promise<void> {
  const options = parseBench<BenchOptions>(
    new Command('npm run bench -- memory')
      .description(
        'What each form of the base weights, and computing layers again, cost and save. On the shipped model: the loss of ' +
          "the base as it is held beside float32's, and the held-out loss of an adapter that was trained on it. On 110 " +
          'million random weights: bytes held, peak memory and time of a LoRA step. Every row runs in a separate process.'
      )
      .option('--steps <n>', 'steps of the adapter on the shipped model', positiveInteger, 40)
      .option('--batch <n>', 'rows of a batch of the large shape', positiveInteger, 4)
      .option('--tokens <n>', 'tokens of a row', positiveInteger, 256)
      .option('--threads <n>', 'threads', positiveInteger, 2),
    ['npm run bench -- memory', 'npm run bench -- memory --steps 10 --batch 2 --json']
  )
  const { steps, batch, tokens, threads } = options
  const say = options.json ? console.error : console.log
  const script = fileURLToPath(import.meta.url)
  const measure = async (task: Omit<Task, 'threads'>) => {
    const { result, peakMB } = await inChild<Measured>(script, { ...task, threads } satisfies Task)
    return { format: task.format, recompute: task.recompute, peakMB, ...result }
  }
  const shipped = join(packageRoot(), 'models/loam-base-1m')
  say(`shipped model, ${steps} LoRA steps of 8 x 128 tokens of Moby-Dick`)
  const losses = []
  for (const format of BASE_FORMATS) {
    const row = await measure({
      ...{ folder: shipped, format, recompute: false, steps, batch: 8, tokens: 128 },
      heldOut: true
    })
    losses.push(row)
    const [first] = losses
    say(
      `  ${format.padEnd(4)}  base loss ${row.baseLoss.toFixed(4)} (${signed(row.baseLoss - first!.baseLoss)})` +
        `  held out with the adapter ${row.heldOutLoss!.toFixed(4)} (${signed(row.heldOutLoss! - first!.heldOutLoss!)})`
    )
  }
  const folder = mkdtempSync(join(tmpdir(), 'loam-memory-'))
  const memory = []
  try {
    writeRandomFolder(folder, SHAPE_110M)
    say(`110M shape, random weights, LoRA steps of ${batch} x ${tokens} tokens, ${threads} threads`)
    for (const format of BASE_FORMATS) {
      for (const recompute of [false, true]) {
        const row = await measure({ folder, format, recompute, steps: 3, batch, tokens, heldOut: false })
        memory.push(row)
        say(
          `  ${format.padEnd(4)}  ${recompute ? 'layers recomputed' : 'layers kept      '}` +
            `  held ${row.heldMB.toFixed(0).padStart(4)} MB  peak ${row.peakMB.toFixed(0).padStart(5)} MB` +
            `  ${row.stepMs.toFixed(0).padStart(6)} ms a step  loss ${row.baseLoss.toFixed(4)}`
        )
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  if (options.json) console.log(JSON.stringify({ losses, memory }))
}

function signed(difference: number): string {
  return `${difference < 0 ? '-' : '+'}${Math.abs(difference).toFixed(4)}`
}

if (!answerParent(work)) await main()
