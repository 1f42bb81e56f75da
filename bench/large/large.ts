import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { answerParent, inChild } from '../../lab/processes/in-child.ts'
import { readJsonObject } from '../../src/formats/hugging-face/read-json.ts'
import {
  BASE_FORMATS,
  type BaseFormat,
  createLoraTrainer,
  heldBytes,
  loadBaseModel,
  loadHeldWeights,
  parseModelConfig
} from '../../src/model/index.ts'
import { baseFormats, parseBench, positiveInteger } from '../support/options.ts'
import { writeRandomFolder } from './random-folder.ts'

type Task =
  | { readonly kind: 'start' }
  | { readonly kind: 'load'; readonly folder: string }
  | {
      readonly kind: 'step'
      readonly folder: string
      readonly format: BaseFormat
      readonly recompute: boolean
      readonly tokens: number
      readonly threads: number
    }

interface BenchOptions {
  readonly layers: number
  readonly formats: readonly BaseFormat[]
  readonly tokens: number
  readonly threads: number
  readonly folder?: string
}

interface Measured {
  /** Bytes of the weights in memory. */
  readonly bytes: number
  readonly loss?: number
  readonly loadSeconds: number
  readonly stepSeconds?: number
}

/** Memory limit of a LoRA step. */
const LIMIT_MB = 12_000

async function work(task: Task): Promise<Measured> {
  if (task.kind === 'start') return { bytes: 0, loadSeconds: 0 }
  const begin = performance.now()
  const seconds = (from: number): number => (performance.now() - from) / 1000
  if (task.kind === 'load') {
    const { weights } = loadBaseModel(task.folder)
    const bytes = [...weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
    return { bytes, loadSeconds: seconds(begin) }
  }
  const { folder, format, recompute, tokens, threads } = task
  const config = parseModelConfig(readJsonObject(join(folder, 'config.json')))
  const weights = loadHeldWeights(folder, config, format)
  const loadSeconds = seconds(begin)
  const trainer = await createLoraTrainer({
    config,
    rank: 8,
    alpha: 16,
    targetModules: ['q_proj', 'v_proj'],
    batchSize: 1,
    sequenceLength: tokens,
    baseFormat: format,
    recompute,
    threads
  })
  const ids = Int32Array.from({ length: tokens }, (_, index) => (index * 7919) % config.vocabularySize)
  const run = trainer.begin({ weights, seed: 1 })
  const stepBegin = performance.now()
  const { loss } = await run.step(
    {
      batchSize: 1,
      sequenceLength: tokens,
      inputIds: ids,
      targetIds: ids.map((id) => (id + 1) % config.vocabularySize),
      targetWeights: new Float32Array(tokens).fill(1)
    },
    1e-4
  )
  return { bytes: heldBytes(weights), loss, loadSeconds, stepSeconds: seconds(stepBegin) }
}

async function main(): Promise<void> {
  const options = parseBench<BenchOptions>(
    new Command('npm run bench -- large')
      .description(
        'Loads a folder of 1.1 thousand million random weights (the shape of TinyLlama, BF16) and takes one LoRA step on ' +
          'it, for every format of base weights in memory, each in a separate process; prints the peak memory of each.'
      )
      .option('--layers <n>', 'layers of the model', positiveInteger, 22)
      .option('--formats <list>', 'forms of the base weights, with commas', baseFormats, [...BASE_FORMATS])
      .option('--tokens <n>', 'tokens of the step', positiveInteger, 128)
      .option('--threads <n>', 'threads', positiveInteger, 2)
      .option('--folder <path>', 'folder to load; written if missing, and kept'),
    ['npm run bench -- large', 'npm run bench -- large --layers 4 --formats int4 --json']
  )
  const { formats, tokens, threads } = options
  const say = options.json ? console.error : console.log
  const own = options.folder === undefined
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'loam-large-'))
  const script = fileURLToPath(import.meta.url)
  try {
    if (!existsSync(join(folder, 'model.safetensors'))) writeRandomFolder(folder, tinyLlama(options.layers))
    const { size } = statSync(join(folder, 'model.safetensors'))
    say(`${folder}: ${(size / 2e6).toFixed(0)} million weights, ${(size / 1e6).toFixed(0)} MB in BF16`)
    const { peakMB: bareMB } = await inChild<Measured>(script, { kind: 'start' } satisfies Task)
    const load = await inChild<Measured>(script, { kind: 'load', folder } satisfies Task)
    const overhead = (load.peakMB - bareMB) / (load.result.bytes / 1e6) - 1
    say(
      `loaded in float32 in ${load.result.loadSeconds.toFixed(1)} s: peak ${load.peakMB.toFixed(0)} MB = ` +
        `${bareMB.toFixed(0)} MB of Node.js + the weights' ${(load.result.bytes / 1e6).toFixed(0)} MB ${signed(overhead)}`
    )
    const rows = []
    for (const format of formats) {
      for (const recompute of [false, true]) {
        const task: Task = { kind: 'step', folder, format, recompute, tokens, threads }
        const { result, peakMB } = await inChild<Measured>(script, task)
        rows.push({ format, recompute, heldMB: result.bytes / 1e6, peakMB, ...result })
        say(
          `one LoRA step of 1 x ${tokens} tokens, base as ${format}${recompute ? ', layers recomputed' : ''}: ` +
            `held ${(result.bytes / 1e6).toFixed(0)} MB, peak ${peakMB.toFixed(0)} MB, ` +
            `loss ${result.loss!.toFixed(4)}, ${result.stepSeconds!.toFixed(1)} s`
        )
      }
    }
    const highest = Math.max(...rows.map(({ peakMB }) => peakMB))
    const within = highest <= LIMIT_MB && overhead <= 0.1
    say(
      `highest peak ${highest.toFixed(0)} MB of ${LIMIT_MB} MB; loading ${signed(overhead)} of 10 %: ${within ? 'within' : 'BEYOND'}`
    )
    if (options.json)
      console.log(
        JSON.stringify({ bareMB, load: { ...load.result, peakMB: load.peakMB, overhead }, rows, within })
      )
    if (!within) process.exitCode = 1
  } finally {
    if (own) rmSync(folder, { recursive: true })
  }
}

function signed(share: number): string {
  return `${share < 0 ? '-' : '+'}${Math.abs(100 * share).toFixed(1)} %`
}

function tinyLlama(layers: number): ReturnType<typeof parseModelConfig> {
  return parseModelConfig({
    model_type: 'llama',
    vocab_size: 32_000,
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: layers,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5
  })
}

if (!answerParent(work)) await main()
