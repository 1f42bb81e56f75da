import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { TrainingBatch } from '../../src/data/packing/training-batch.ts'
import type { TensorMap } from '../../src/formats/tensor.ts'
import {
  createSeededRandom,
  initialiseLlama,
  initialiseLora,
  type LlamaConfig,
  loadBaseModel
} from '../../src/model/index.ts'
import { loraNames } from '../../src/model/lora/lora-nodes.ts'
import { BENCH_LORA } from './products.ts'
import type { BenchShape } from './shapes.ts'

/** The problem that both sides train: the same weights, factors and batch, in one file of little-endian numbers. */
export interface Problem {
  readonly config: LlamaConfig
  readonly batchSize: number
  readonly sequenceLength: number
  readonly rank: number
  readonly alpha: number
  readonly targetModules: readonly string[]
  readonly seed: number
  readonly learningRate: number
  readonly clipNorm: number
  /** Where each tensor's float32 elements begin in the file, in bytes. */
  readonly tensors: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly offset: number
  }[]
  /** The LoRA factors to start from, by tensor name. */
  readonly lora: readonly { readonly module: string; readonly A: string; readonly B: string }[]
  readonly inputIds: readonly number[]
  readonly targetIds: readonly number[]
}

const DESCRIPTION_FILE = 'problem.json'
const TENSORS_FILE = 'tensors.bin'
const SEED = 1

/** Writes the problem of `shape` into `folder`. */
export function writeProblem(folder: string, shape: BenchShape): void {
  const { config, batchSize, sequenceLength } = shape
  const weights = shape.folder ? loadBaseModel(shape.folder).weights : initialiseLlama(config, SEED)
  const pairs = initialiseLora(config, BENCH_LORA, SEED)
  const all: TensorMap = new Map([
    ...weights,
    ...pairs.flatMap(({ module, rank, inFeatures, outFeatures, A, B }) => [
      [loraNames(module).A, { shape: [rank, inFeatures], data: A }] as const,
      [loraNames(module).B, { shape: [outFeatures, rank], data: B }] as const
    ])
  ])
  const tensors: Problem['tensors'][number][] = []
  const file = openSync(join(folder, TENSORS_FILE), 'w')
  let offset = 0
  for (const [name, { shape: extents, data }] of all) {
    tensors.push({ name, shape: extents, offset })
    offset += writeSync(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  closeSync(file)
  const random = createSeededRandom(SEED)
  const ids = (): number[] =>
    Array.from({ length: batchSize * sequenceLength }, () => random.nextUint32() % config.vocabularySize)
  const problem: Problem = {
    config,
    batchSize,
    sequenceLength,
    ...BENCH_LORA,
    seed: SEED,
    learningRate: 1e-3,
    clipNorm: 1,
    tensors,
    lora: pairs.map(({ module }) => ({ module, ...loraNames(module) })),
    inputIds: ids(),
    targetIds: ids()
  }
  writeFileSync(join(folder, DESCRIPTION_FILE), JSON.stringify(problem))
}

/** Reads a problem back: its description, its base weights (views of one buffer) and its batch. */
export function readProblem(folder: string): { problem: Problem; weights: TensorMap; batch: TrainingBatch } {
  const problem: Problem = JSON.parse(readFileSync(join(folder, DESCRIPTION_FILE), 'utf8'))
  const { buffer, byteOffset } = readFileSync(join(folder, TENSORS_FILE))
  const factors = new Set(problem.lora.flatMap(({ A, B }) => [A, B]))
  const weights: TensorMap = new Map(
    problem.tensors
      .filter(({ name }) => !factors.has(name))
      .map(({ name, shape, offset }) => {
        const length = shape.reduce((product, extent) => product * extent, 1)
        return [name, { shape, data: new Float32Array(buffer, byteOffset + offset, length) }] as const
      })
  )
  const { batchSize, sequenceLength } = problem
  const batch: TrainingBatch = {
    batchSize,
    sequenceLength,
    inputIds: Int32Array.from(problem.inputIds),
    targetIds: Int32Array.from(problem.targetIds),
    targetWeights: new Float32Array(batchSize * sequenceLength).fill(1)
  }
  return { problem, weights, batch }
}
