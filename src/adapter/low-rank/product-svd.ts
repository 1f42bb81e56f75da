import { householderQr } from '../linear-algebra/householder-qr.ts'
import { jacobiSvd, type Svd } from '../linear-algebra/jacobi-svd.ts'
import { fromRowMajor, fromTransposed, multiply, transpose } from '../linear-algebra/matrix.ts'
import type { LoraPair } from '../pair/lora-adapter.ts'

/**
 * SVD of B·A without forming it: QR of B and of Aᵀ, SVD of the small core R_B·R_Aᵀ [≤ rank, ≤ rank] (FLoRIST). Costs
 * (in + out) · rank² + rank³ instead of in · out · min(in, out).
 *
 * @param pair its scale is not applied
 */
export function productSvd({ rank, inFeatures, outFeatures, A, B }: LoraPair): Svd {
  const left = householderQr(fromRowMajor(B, outFeatures, rank))
  const right = householderQr(fromTransposed(A, rank, inFeatures))
  const { U, sigma, V } = jacobiSvd(multiply(left.R, transpose(right.R)))
  return { U: multiply(left.Q, U), sigma, V: multiply(right.Q, V) }
}

/**
 * The best pair of a given rank for an SVD, with scale 1: B = U·√Σ and A = √Σ·Vᵀ of the largest singular values,
 * rounded to float32 once. Ranks beyond the SVD's are zero.
 */
export function pairFromSvd(module: string, { U, sigma, V }: Svd, rank: number): LoraPair {
  const [outFeatures, inFeatures] = [U.rows, V.rows]
  const A = new Float32Array(rank * inFeatures)
  const B = new Float32Array(outFeatures * rank)
  for (let k = 0; k < Math.min(rank, sigma.length); k++) {
    const root = Math.sqrt(sigma[k]!)
    for (let j = 0; j < inFeatures; j++) A[k * inFeatures + j] = root * V.data[k * inFeatures + j]!
    for (let i = 0; i < outFeatures; i++) B[i * rank + k] = U.data[k * outFeatures + i]! * root
  }
  return { module, rank, alpha: rank, inFeatures, outFeatures, A, B }
}

/**
 * Σ sigma² from an index on: the square of the error of leaving them out. Adds the smallest first, so that none is
 * lost.
 */
export function tailEnergy(sigma: Float64Array, from: number): number {
  let sum = 0
  for (let k = sigma.length - 1; k >= from; k--) sum += sigma[k]! * sigma[k]!
  return sum
}
