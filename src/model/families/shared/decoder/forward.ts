import { add, type GraphNode, multiply, reshape } from '../../../graph/index.ts'
import { embed, layer } from '../linear.ts'
import type { ModelNodes } from '../model-nodes.ts'
import { createAttention } from './attention.ts'
import type { BranchNorms, DecoderConfig, DecoderNames } from './config.ts'
import { shortConvolution } from './convolution.ts'
import { gatedFeedForward } from './feed-forward.ts'
import { createNorm } from './norm.ts'
import { decoderPrefix, embeddingName, layerName } from './parameters.ts'

/**
 * The decoder up to its final norm.
 *
 * @param inputIds int32 [batch, length]
 * @returns [batch · length, hiddenSize]
 */
export function decoderHidden(
  config: DecoderConfig,
  names: DecoderNames,
  inputIds: GraphNode,
  model: ModelNodes
): GraphNode {
  const [batch, length] = inputIds.shape as [number, number]
  const norm = createNorm(config, model)
  const attention = createAttention({ config, names, model, norm, builder: inputIds.builder, batch, length })

  /** x plus the branch, with the family's norms before and after it. */
  const branch = (
    x: GraphNode,
    name: string,
    { before, after }: BranchNorms,
    compute: (x: GraphNode) => GraphNode
  ): GraphNode => {
    const y = compute(before === undefined ? x : norm(x, `${name}.${before}`))
    const normal = after === undefined ? y : norm(y, `${name}.${after}`)
    return add(x, scaled(normal, config.residualScale))
  }

  let hidden = scaled(
    embed(model, embeddingName(config), reshape(inputIds, [batch * length])),
    config.embeddingScale
  )
  for (let index = 0; index < config.layers; index++) {
    const name = layerName(config, index)
    const mix = (x: GraphNode): GraphNode =>
      config.convolution?.layers[index]
        ? shortConvolution(config.convolution, x, index, name, model, [batch, length])
        : attention(x, index)
    hidden = layer(model, name, hidden, (x) => {
      const mixed = branch(x, name, names.attentionNorms, mix)
      return branch(mixed, name, names.feedForwardNorms, (y) =>
        gatedFeedForward(config, names, y, name, model)
      )
    })
  }
  return scaled(norm(hidden, `${decoderPrefix(config)}${names.finalNorm}`), config.hiddenScale)
}

function scaled(x: GraphNode, factor = 1): GraphNode {
  return factor === 1 ? x : multiply(x, x.builder.scalar(factor))
}
