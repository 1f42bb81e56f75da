/**
 * Loads a folder of 1.1 thousand million random weights (the shape of TinyLlama, BF16) and takes one LoRA step on it,
 * for every form in which base weights are held, each in a process of its own; prints the peak memory of each.
 *
 *     npm run bench:large -- [--layers 22] [--formats f32,f16,int8,int4] [--tokens 128] [--threads 2] [--folder DIR] [--json]
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  BASE_FORMATS,
  type BaseFormat,
  createLoraTrainer,
  heldBytes,
  loadBaseModel,
  loadHeldWeights,
  parseModelConfig
} from '../../src/model/index.ts'
import { readJsonObject } from '../../src/model/read-json.ts'
import { answerParent, inChild } from '../support/in-child.ts'
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

interface Measured {
  /** Bytes of the weights as they are held. */
  readonly bytes: number
  readonly loss?: number
  readonly loadSeconds: number
  readonly stepSeconds?: number
}

/** Peak memory that issue 3 allows for a LoRA step. */
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
  const { values } = parseArgs({
    options: {
      layers: { type: 'string', default: '22' },
      formats: { type: 'string', default: BASE_FORMATS.join(',') },
      tokens: { type: 'string', default: '128' },
      threads: { type: 'string', default: '2' },
      folder: { type: 'string' },
      json: { type: 'boolean', default: false }
    }
  })
  const say = (text: string): void => void (values.json ? console.error(text) : console.log(text))
  const formats = values.formats.split(',').map((name) => {
    const format = BASE_FORMATS.find((known) => known === name)
    if (!format) throw new Error(`--formats ${name}: known are ${BASE_FORMATS.join(', ')}`)
    return format
  })
  const own = values.folder === undefined
  const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'loam-large-'))
  const script = fileURLToPath(import.meta.url)
  const [tokens, threads] = [Number(values.tokens), Number(values.threads)]
  try {
    if (!existsSync(join(folder, 'model.safetensors')))
      writeRandomFolder(folder, tinyLlama(Number(values.layers)))
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
    if (values.json)
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
