import { divide, type GraphNode, multiply, subtract, tanh } from '../../graph/index.ts'

/** Bounded values and their derivative. */
export interface SoftCapped {
  readonly capped: GraphNode
  /** The elementwise derivative of `capped`; undefined if there is no bound. */
  readonly slope: (() => GraphNode) | undefined
}

/**
 * c · tanh(x / c), which keeps `x` between −c and c; `x` itself if no cap is given.
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
