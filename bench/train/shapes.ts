import { join } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { readJsonObject } from '../../src/formats/hugging-face/read-json.ts'
import { type LlamaConfig, parseLlamaConfig } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'

/** A model size that the benchmark trains. */
export interface BenchShape {
  readonly name: string
  readonly what: string
  readonly config: LlamaConfig
  /** Folder of the weights; random weights if absent. */
  readonly folder?: string
  readonly batchSize: number
  readonly sequenceLength: number
  /** Steps measured per run, after two warm-up steps. */
  readonly steps: number
}

const SHIPPED_FOLDER = join(packageRoot(), 'models', 'loam-base-1m')

function tinyStories(hiddenSize: number, layers: number, heads: number, intermediate: number): LlamaConfig {
  return parseLlamaConfig({
    model_type: 'llama',
    vocab_size: 32_000,
    hidden_size: hiddenSize,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    max_position_embeddings: 1024,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true
  })
}

/** The sizes, by their names for `--shape`. */
export function benchShapes(): BenchShape[] {
  return [
    {
      name: 'shipped',
      what: 'models/loam-base-1m',
      config: parseLlamaConfig(readJsonObject(join(SHIPPED_FOLDER, 'config.json'))),
      folder: SHIPPED_FOLDER,
      batchSize: 8,
      sequenceLength: 128,
      steps: 20
    },
    {
      name: '15M',
      what: 'dim 288, 6 layers, vocabulary 32000, random weights',
      config: tinyStories(288, 6, 6, 768),
      batchSize: 8,
      sequenceLength: 128,
      steps: 4
    },
    {
      name: '110M',
      what: 'dim 768, 12 layers, vocabulary 32000, random weights',
      config: tinyStories(768, 12, 12, 2048),
      batchSize: 2,
      sequenceLength: 256,
      steps: 3
    }
  ]
}

/**
 * The size of that name.
 *
 * @throws {InvalidArgumentError} when there is none
 */
export function shapeNamed(name: string): BenchShape {
  const shapes = benchShapes()
  const shape = shapes.find((known) => known.name === name)
  if (!shape) throw new InvalidArgumentError(`give one of ${shapes.map((known) => known.name).join(', ')}`)
  return shape
}

/** `--shape`, for benchmarks that may take one size only. */
export function shapeOption(): Option {
  const names = benchShapes().map(({ name }) => name)
  return new Option('--shape <name>', `only ${names.join(' or ')}`).argParser(shapeNamed)
}
