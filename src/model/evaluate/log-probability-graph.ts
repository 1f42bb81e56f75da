import { headParameter, hiddenStates, type ModelConfig } from '../families/index.ts'
import { targetLogProbabilities } from '../families/shared/cross-entropy.ts'
import { isolatedDocuments } from '../families/shared/isolated-documents.ts'
import { cast, type Graph, GraphBuilder, reshape } from '../graph/index.ts'
import { declareLora } from '../lora/lora-nodes.ts'
import type { LoraSettings } from '../lora/lora-settings.ts'
import type { BaseFormat } from '../weights/base-format.ts'
import { declareWeights } from '../weights/held-weights.ts'

/** Inputs of a scoring graph besides tokens and plain float32 weights. */
export interface LogProbabilityOptions {
  /** Whether a token attends only to its own packed document: `segments` and `restarts` are inputs too. */
  readonly isolateDocuments?: boolean
  /** Format in which base weights are fed; `f32` if absent. */
  readonly baseFormat?: BaseFormat
  /** Adapted modules, whose factors are fed as in training; none if absent. */
  readonly lora?: LoraSettings
}

/**
 * Graph of every target's log-probability: inputs `inputIds` and `targetIds` (int32 [batch, length]) and the
 * parameters; output `logProbabilities` [batch · length].
 */
export function logProbabilityGraph(
  config: ModelConfig,
  batch: number,
  length: number,
  { isolateDocuments = false, baseFormat = 'f32', lora }: LogProbabilityOptions = {}
): Graph {
  const builder = new GraphBuilder()
  const weights = declareWeights(builder, config, baseFormat)
  const targets = reshape(builder.input('targetIds', [batch, length], 'int32'), [batch * length])
  const hidden = hiddenStates(config, builder.input('inputIds', [batch, length], 'int32'), {
    ...weights,
    lora: lora ? declareLora(builder, config, lora) : new Map(),
    ...(isolateDocuments && { sequence: isolatedDocuments(builder, batch, length) })
  })
  const head = cast(weights.parameter(headParameter(config)), 'float32')
  const logProbabilities = targetLogProbabilities(hidden, head, targets, config.logitSoftCap)
  return builder.build({ logProbabilities })
}
