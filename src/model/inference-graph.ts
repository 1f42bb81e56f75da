import type { BaseFormat } from './base-format.ts'
import { headParameter, hiddenStates, type LoraNodes, type ModelConfig } from './family/index.ts'
import { cast, type Graph, GraphBuilder, reshape } from './graph/index.ts'
import { declareWeights } from './held-weights.ts'
import { targetLogProbabilities } from './llama/index.ts'
import { isolatedDocuments } from './train/isolated-documents.ts'

/** What a scoring graph reads beside tokens and plain float32 weights. */
export interface LogProbabilityOptions {
  /** Whether a token sees its own packed document only: `segments` and `restarts` are inputs too. */
  readonly isolateDocuments?: boolean
  /** How base weights are fed; `f32` where it is absent. */
  readonly baseFormat?: BaseFormat
  /** Declares the LoRA factors by module, where there are any. */
  readonly declareLora?: (builder: GraphBuilder) => ReadonlyMap<string, LoraNodes>
}

/**
 * Graph of every target's log-probability: inputs `inputIds` and `targetIds` (int32 [batch, length]) and the
 * parameters; output `logProbabilities` [batch · length].
 */
export function logProbabilityGraph(
  config: ModelConfig,
  batch: number,
  length: number,
  { isolateDocuments = false, baseFormat = 'f32', declareLora }: LogProbabilityOptions = {}
): Graph {
  const builder = new GraphBuilder()
  const weights = declareWeights(builder, config, baseFormat)
  const lora = declareLora?.(builder) ?? new Map()
  const targets = reshape(builder.input('targetIds', [batch, length], 'int32'), [batch * length])
  const hidden = hiddenStates(config, builder.input('inputIds', [batch, length], 'int32'), {
    ...weights,
    lora,
    ...(isolateDocuments && { sequence: isolatedDocuments(builder, batch, length) })
  })
  const head = cast(weights.parameter(headParameter(config)), 'float32')
  return builder.build({ logProbabilities: targetLogProbabilities(hidden, head, targets) })
}
