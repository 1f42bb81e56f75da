/** Euclidean norm of all gradients together. */
export function globalNorm(gradients: ReadonlyMap<string, Float32Array>): number {
  let sum = 0
  for (const gradient of gradients.values()) {
    for (let index = 0; index < gradient.length; index++) sum += gradient[index]! * gradient[index]!
  }
  return Math.sqrt(sum)
}

/** Factor that limits a gradient of norm `norm` to `limit`. */
export function clippingFactor(norm: number, limit: number): number {
  return norm > limit ? limit / norm : 1
}
