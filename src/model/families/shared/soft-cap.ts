import { divide, type GraphNode, multiply, subtract, tanh } from '../../graph/index.ts'

/** Values that are bounded, and how much of a gradient passes. */
export interface SoftCapped {
  readonly capped: GraphNode
  /** The derivative of `capped`, element by element; undefined where nothing is bounded. */
  readonly slope: (() => GraphNode) | undefined
}

/**
 * c · tanh(x / c), which keeps `x` between −c and c; `x` itself where no cap is given.
 *
 * @param cap c > 0
 */
export function softCapped(x: GraphNode, cap: number | undefined): SoftCapped {
  if (cap === undefined) return { capped: x, slope: undefined }
  const bound = x.builder.scalar(cap)
  const wave = tanh(divide(x, bound))
  return {
    capped: multiply(wave, bound),
    slope: () => subtract(x.builder.scalar(1), multiply(wave, wave))
  }
}
