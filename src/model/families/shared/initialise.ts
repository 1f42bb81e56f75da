import { createSeededRandom } from '../../../data/order/seeded-random.ts'
import type { Tensor } from '../../../formats/tensor.ts'

const DEVIATION = 0.02

/**
 * Initial weights: normal with standard deviation 0.02; projections into the residual stream are divided by √(2 ·
 * layers), so that its variance does not grow with depth (GPT-2's scheme); norms 1; biases 0.
 */
export function initialWeights(
  shapes: ReadonlyMap<string, readonly number[]>,
  layers: number,
  seed: number,
  roleOf: (name: string) => 'norm' | 'bias' | 'residual' | 'plain'
): Map<string, Tensor> {
  const random = createSeededRandom(seed)
  const residualDeviation = DEVIATION / Math.sqrt(2 * layers)
  const weights = new Map<string, Tensor>()
  for (const [name, shape] of shapes) {
    const data = new Float32Array(shape.reduce((product, extent) => product * extent, 1))
    const role = roleOf(name)
    if (role === 'norm') data.fill(1)
    else if (role !== 'bias') {
      const deviation = role === 'residual' ? residualDeviation : DEVIATION
      for (let index = 0; index < data.length; index++) data[index] = random.normal() * deviation
    }
    weights.set(name, { shape, data })
  }
  return weights
}
