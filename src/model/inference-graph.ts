import { headParameter, hiddenStates, type ModelConfig, parameterShapes } from './family/index.ts'
import { type Graph, GraphBuilder, type GraphNode, reshape } from './graph/index.ts'
import { targetLogProbabilities } from './llama/index.ts'
import { isolatedDocuments } from './train/isolated-documents.ts'

/**
 * Graph of every target's log-probability: inputs `inputIds` and `targetIds` (int32 [batch, length]) and the
 * parameters; output `logProbabilities` [batch · length].
 *
 * @param options.isolateDocuments whether a token sees its own packed document only: `segments` and `restarts` are inputs too
 */
export function logProbabilityGraph(
  config: ModelConfig,
  batch: number,
  length: number,
  { isolateDocuments = false }: { readonly isolateDocuments?: boolean } = {}
): Graph {
  const builder = new GraphBuilder()
  const parameter = declareWeights(builder, config)
  const targets = reshape(builder.input('targetIds', [batch, length], 'int32'), [batch * length])
  const hidden = hiddenStates(config, builder.input('inputIds', [batch, length], 'int32'), {
    parameter,
    lora: new Map(),
    ...(isolateDocuments && { sequence: isolatedDocuments(builder, batch, length) })
  })
  return builder.build({
    logProbabilities: targetLogProbabilities(hidden, parameter(headParameter(config)), targets)
  })
}

function declareWeights(builder: GraphBuilder, config: ModelConfig): (name: string) => GraphNode {
  const nodes = new Map(
    [...parameterShapes(config)].map(([name, shape]) => [name, builder.input(name, shape)])
  )
  return (name) => nodes.get(name)!
}
