import { type GraphNode, multiply, slice } from '../../../graph/index.ts'
import { ACTIVATIONS } from '../activations.ts'
import { linear } from '../linear.ts'
import type { ModelNodes } from '../model-nodes.ts'
import type { DecoderConfig, DecoderNames } from './config.ts'

/**
 * down(activation(gate(x)) ∘ up(x)) (Shazeer, "GLU variants improve transformer", 2020).
 *
 * @param x [rows, hiddenSize]
 * @param layer name of the layer
 * @returns [rows, hiddenSize]
 */
export function gatedFeedForward(
  { intermediateSize, activation = 'silu', feedForwardBias: bias = false }: DecoderConfig,
  { gateUp, down }: DecoderNames,
  x: GraphNode,
  layer: string,
  model: ModelNodes
): GraphNode {
  const activate = ACTIVATIONS[activation]
  const project = (module: string, y: GraphNode): GraphNode => linear(model, y, `${layer}.${module}`, bias)
  if (typeof gateUp !== 'string') {
    const gate = activate(project(gateUp[0], x))
    return project(down, multiply(gate, project(gateUp[1], x)))
  }
  const both = project(gateUp, x)
  const gate = activate(slice(both, 1, 0, intermediateSize))
  return project(down, multiply(gate, slice(both, 1, intermediateSize, 2 * intermediateSize)))
}
