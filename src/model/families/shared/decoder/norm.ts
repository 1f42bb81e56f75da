import { add, type GraphNode, rootMeanSquareNorm } from '../../../graph/index.ts'
import type { ModelNodes } from '../model-nodes.ts'
import type { DecoderConfig } from './config.ts'

/** RMSNorm over the last axis, with the weight of the named module. */
export type Norm = (x: GraphNode, module: string) => GraphNode

/** The norm of a model: y = (offset + w) ∘ x / √(mean(x²) + ε). */
export function createNorm({ normOffset = 0, normEpsilon }: DecoderConfig, model: ModelNodes): Norm {
  return (x, module) => {
    const weight = model.parameter(`${module}.weight`)
    const factor = normOffset === 0 ? weight : add(weight, x.builder.scalar(normOffset))
    return rootMeanSquareNorm(x, factor, normEpsilon)
  }
}
