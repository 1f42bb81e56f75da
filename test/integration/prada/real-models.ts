import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoraAdapter } from '../../../src/adapter/index.ts'
import type { TensorMap } from '../../../src/formats/tensor.ts'
import {
  applyAdapter,
  createSeededRandom,
  type LlamaConfig,
  linearModules,
  loadBaseModel,
  type ModelConfig
} from '../../../src/model/index.ts'
import { packageRoot } from '../../../src/package-root.ts'
import type { Vocabulary } from '../../../src/prada/core/index.ts'
import { createDecoderModel, readVocabulary, tokenModelDigest } from '../../../src/prada/models/index.ts'
import {
  createLogitsService,
  DEFAULT_LOGITS_LIMITS,
  type LogitsLimits,
  type LogitsService
} from '../../../src/prada/server/index.ts'

const FOLDER = join(packageRoot(), 'models/loam-base-1m')

export const base = loadBaseModel(FOLDER)

export const vocabulary: Vocabulary = readVocabulary(
  JSON.parse(readFileSync(join(FOLDER, 'tokenizer.json'), 'utf8')),
  base.tokenizer
)

/** An untrained LoRA adapter with an offset as large as that of a trained one. */
export function randomAdapter(config: ModelConfig, seed: number, rank = 4): LoraAdapter {
  const random = createSeededRandom(seed)
  const normal = (length: number, deviation: number): Float32Array =>
    Float32Array.from({ length }, () => random.normal() * deviation)
  const pairs = [...linearModules(config)].map(([module, { outFeatures, inFeatures }]) => ({
    module,
    rank,
    alpha: rank,
    inFeatures,
    outFeatures,
    A: normal(rank * inFeatures, 1 / Math.sqrt(inFeatures)),
    B: normal(outFeatures * rank, 0.03)
  }))
  return { pairs }
}

/** Base and adapted proxy. */
export function proxyModels(seed: number) {
  const { config, weights } = base
  return {
    base: createDecoderModel({ config, weights }),
    adapted: createDecoderModel({ config, weights: applyAdapter(weights, randomAdapter(config, seed)) })
  }
}

/** A Llama of another shape with the proxy's vocabulary. */
export const OTHER_CONFIG: LlamaConfig = {
  ...(base.config as LlamaConfig),
  hiddenSize: 96,
  intermediateSize: 200,
  layers: 2,
  heads: 6,
  keyValueHeads: 3,
  headSize: 16,
  maxPositions: 200
}

export function serviceOf(
  config: ModelConfig,
  weights: TensorMap,
  limits: Partial<LogitsLimits> = {}
): LogitsService {
  const model = createDecoderModel({ config, weights })
  const served = { name: 'test remote', model, digest: tokenModelDigest({ config, weights }), vocabulary }
  return createLogitsService(served, { ...DEFAULT_LOGITS_LIMITS, positionsPerMinute: 1e9, ...limits })
}

/** The weights with noise relative to each tensor's deviation: a model close to the proxy, like a sibling. */
export function shaken(weights: TensorMap, seed: number, share: number): TensorMap {
  const random = createSeededRandom(seed)
  return new Map(
    [...weights].map(([name, { shape, data }]) => {
      const mean = data.reduce((sum, value) => sum + value, 0) / data.length
      const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length)
      return [name, { shape, data: data.map((value) => value + random.normal() * deviation * share) }]
    })
  )
}
