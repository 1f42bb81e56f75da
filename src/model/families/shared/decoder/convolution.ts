import {
  add,
  concat,
  type GraphNode,
  multiply,
  pad,
  reshape,
  slice,
  transpose
} from '../../../graph/index.ts'
import { linear } from '../linear.ts'
import type { ModelNodes } from '../model-nodes.ts'
import { CONVOLUTION_NAMES, type DecoderConfig } from './config.ts'

/**
 * A gated short convolution (LFM2): output(c ∘ conv(b ∘ u)) with [b, c, u] = input(x), where conv is a weighted sum of
 * the last `width` tokens in each channel.
 *
 * @param x [batch · length, hiddenSize]
 * @param layer name of the layer
 * @returns [batch · length, hiddenSize]
 */
export function shortConvolution(
  { width, bias }: NonNullable<DecoderConfig['convolution']>,
  x: GraphNode,
  index: number,
  layer: string,
  model: ModelNodes,
  [batch, length]: readonly [number, number]
): GraphNode {
  const hidden = x.shape[1]!
  const all = linear(model, x, `${layer}.${CONVOLUTION_NAMES.input}`, bias)
  const third = (part: number): GraphNode => slice(all, 1, part * hidden, (part + 1) * hidden)
  const gated = reshape(multiply(third(0), third(2)), [batch, length, hidden])
  const before = model.sequence?.before?.(index, gated, width - 1)
  const behind = before ? concat([before, gated], 1) : pad(gated, 1, width - 1, 0)
  const weight = model.parameter(`${layer}.${CONVOLUTION_NAMES.taps}.weight`)
  const taps = transpose(reshape(weight, [hidden, width]), [1, 0])
  const terms = Array.from({ length: width }, (_, tap) => {
    const seen = slice(behind, 1, tap, tap + length)
    const distance = width - 1 - tap
    const inDocument = distance > 0 ? model.sequence?.within?.(distance) : undefined
    const weighted = multiply(seen, reshape(slice(taps, 0, tap, tap + 1), [hidden]))
    return inDocument ? multiply(weighted, inDocument) : weighted
  })
  const summed = terms.reduce(add)
  const own = bias ? add(summed, model.parameter(`${layer}.${CONVOLUTION_NAMES.taps}.bias`)) : summed
  const y = multiply(third(1), reshape(own, [batch * length, hidden]))
  return linear(model, y, `${layer}.${CONVOLUTION_NAMES.output}`, bias)
}
