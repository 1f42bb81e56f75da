import type { TensorMap } from '../../formats/tensor.ts'

/** Settings of AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019). */
export interface AdamWSettings {
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
  /** Weight decay of matrices per step, in units of the learning rate; vectors (norms, biases) never decay. */
  readonly weightDecay?: number
}

/** Options of one update. */
export interface AdamWUpdate {
  readonly learningRate: number
  /** Factor on every gradient, for clipping; 1 if absent. */
  readonly gradientScale?: number
}

/** An optimizer over fixed parameters, which it changes in place. */
export interface AdamW {
  /** Number of updates done. */
  step: number
  /** Running means of gradients, by parameter. */
  readonly firstMoments: ReadonlyMap<string, Float32Array>
  /** Running means of squared gradients, by parameter. */
  readonly secondMoments: ReadonlyMap<string, Float32Array>
  /** Applies one update from a gradient for every parameter. */
  update(gradients: ReadonlyMap<string, Float32Array>, update: AdamWUpdate): void
}

/** AdamW over `parameters`, with moments that start at zero. */
export function createAdamW(parameters: TensorMap, settings: AdamWSettings = {}): AdamW {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = settings
  const zeros = (): Map<string, Float32Array> =>
    new Map([...parameters].map(([name, { data }]) => [name, new Float32Array(data.length)]))
  const optimizer: AdamW = {
    step: 0,
    firstMoments: zeros(),
    secondMoments: zeros(),
    update: (gradients, { learningRate, gradientScale = 1 }) => {
      optimizer.step++
      const correction1 = 1 - beta1 ** optimizer.step
      const correction2 = Math.sqrt(1 - beta2 ** optimizer.step)
      const rate = learningRate / correction1
      for (const [name, { data, shape }] of parameters) {
        const gradient = gradients.get(name)
        if (!gradient) throw new Error(`no gradient for ${name}`)
        const first = optimizer.firstMoments.get(name)!
        const second = optimizer.secondMoments.get(name)!
        const kept = shape.length > 1 ? 1 - learningRate * weightDecay : 1
        for (let index = 0; index < data.length; index++) {
          const g = gradient[index]! * gradientScale
          const m = beta1 * first[index]! + (1 - beta1) * g
          const v = beta2 * second[index]! + (1 - beta2) * g * g
          first[index] = m
          second[index] = v
          data[index] = data[index]! * kept - (rate * m) / (Math.sqrt(v) / correction2 + epsilon)
        }
      }
    }
  }
  return optimizer
}
