import type { BaseFormat } from './base-format.ts'
import {
  headParameter,
  hiddenStates,
  type LoraNodes,
  linearModules,
  type ModelConfig
} from './family/index.ts'
import { cast, type Graph, GraphBuilder, reshape } from './graph/index.ts'
import { declareWeights } from './held-weights.ts'
import { targetLogProbabilities } from './llama/index.ts'
import { isolatedDocuments } from './train/isolated-documents.ts'
import { loraNames } from './train/train-step.ts'

/** What a scoring graph has beside the plain model. */
export interface LogProbabilityGraphOptions {
  /** Whether a token sees its own packed document only: `segments` and `restarts` are inputs too. */
  readonly isolateDocuments?: boolean
  /** How the weights are fed; `f32` where it is absent. */
  readonly baseFormat?: BaseFormat
  /** Modules with LoRA factors of scale 1, fed under {@link loraNames}. */
  readonly lora?: { readonly modules: readonly string[]; readonly rank: number }
}

/**
 * Graph of every target's log-probability: inputs `inputIds` and `targetIds` (int32 [batch, length]) and the
 * parameters; output `logProbabilities` [batch · length].
 */
export function logProbabilityGraph(
  config: ModelConfig,
  batch: number,
  length: number,
  { isolateDocuments = false, baseFormat = 'f32', lora }: LogProbabilityGraphOptions = {}
): Graph {
  const builder = new GraphBuilder()
  const weights = declareWeights(builder, config, baseFormat)
  const targets = reshape(builder.input('targetIds', [batch, length], 'int32'), [batch * length])
  const hidden = hiddenStates(config, builder.input('inputIds', [batch, length], 'int32'), {
    ...weights,
    lora: lora === undefined ? new Map() : declareFactors(builder, config, lora),
    ...(isolateDocuments && { sequence: isolatedDocuments(builder, batch, length) })
  })
  const head = cast(weights.parameter(headParameter(config)), 'float32')
  return builder.build({ logProbabilities: targetLogProbabilities(hidden, head, targets) })
}

function declareFactors(
  builder: GraphBuilder,
  config: ModelConfig,
  { modules, rank }: NonNullable<LogProbabilityGraphOptions['lora']>
): Map<string, LoraNodes> {
  const linear = linearModules(config)
  return new Map(
    modules.map((module) => {
      const found = linear.get(module)
      if (found === undefined) throw new Error(`the model has no linear module ${module}`)
      const names = loraNames(module)
      const A = builder.input(names.A, [rank, found.inFeatures])
      const B = builder.input(names.B, [found.outFeatures, rank])
      return [module, { A, B, scale: 1 }]
    })
  )
}
