import { sha256Hex, stackDigest } from '../../formats/digest/tensors-digest.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import { createDecoder, type Executor, type ModelConfig, modelConfigJson } from '../../model/index.ts'
import type { TokenModel } from './token-model.ts'

/** A model to run. */
export interface DecoderModelOptions {
  readonly config: ModelConfig
  /** Adapters merged in. */
  readonly weights: TensorMap
  /** Maximum text length, tokens; defaults to the model's maximum. */
  readonly context?: number
  /** Executor; defaults to onnxruntime. It must return the same bits for the same text. */
  readonly executor?: Executor
}

/** A model of one of Loam's families, decoded so that a prefix always has the same logits. */
export function createDecoderModel({ config, weights, context, executor }: DecoderModelOptions): TokenModel {
  const decoder = createDecoder({
    config,
    repeatable: true,
    ...(context !== undefined && { context }),
    ...(executor !== undefined && { executor })
  })
  return {
    context: decoder.context,
    vocabularySize: config.vocabularySize,
    start: () => decoder.start(weights),
    dispose: () => decoder.dispose()
  }
}

/** SHA-256 over a model's configuration and weights, 64 hex digits: all that determines its logits. */
export function tokenModelDigest({
  config,
  weights
}: Pick<DecoderModelOptions, 'config' | 'weights'>): string {
  return sha256Hex(
    new TextEncoder().encode(`${JSON.stringify(modelConfigJson(config))}\n${stackDigest(weights)}`)
  )
}
