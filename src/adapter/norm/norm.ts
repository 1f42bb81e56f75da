import type { LoraPair } from '../pair/lora-adapter.ts'
import { loraScale } from '../pair/lora-scale.ts'

/**
 * Frobenius norm of ΔW = s·B·A without building ΔW: ‖B·A‖² = Σ_kl (BᵀB)_kl (A·Aᵀ)_kl, two rank × rank Gram matrices in
 * float64. Costs rank² · (in + out) instead of rank · in · out. If the pair contains NaN or infinity, the result is not
 * finite.
 */
export function updateNorm(pair: LoraPair, rsLora = false): number {
  const { rank, inFeatures, outFeatures, A, B } = pair
  let sum = 0
  for (let k = 0; k < rank; k++) {
    for (let l = 0; l <= k; l++) {
      let gramA = 0
      for (let j = 0; j < inFeatures; j++) gramA += A[k * inFeatures + j]! * A[l * inFeatures + j]!
      let gramB = 0
      for (let i = 0; i < outFeatures; i++) gramB += B[i * rank + k]! * B[i * rank + l]!
      sum += (k === l ? 1 : 2) * gramA * gramB
    }
  }
  // Cancellation may leave a tiny negative number when the norm is 0.
  return loraScale(pair, rsLora) * Math.sqrt(Math.max(sum, 0))
}
