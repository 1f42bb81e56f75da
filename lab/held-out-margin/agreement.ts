import { type LoraAdapter, type LoraPair, loraScale, updateNorm } from '../../src/adapter/index.ts'

/**
 * Cosine of an update with the sum of others, over all modules as one vector: −1 if it undoes them, 0 if it is
 * unrelated. Without building ΔW: ⟨B₁A₁, B₂A₂⟩ = Σ_kl (B₁ᵀB₂)_kl (A₁A₂ᵀ)_kl.
 */
export function agreement(update: LoraAdapter, others: readonly LoraAdapter[]): number {
  const product = others.reduce((sum, other) => sum + adapterProduct(update, other), 0)
  const norm = Math.sqrt(update.pairs.reduce((sum, pair) => sum + updateNorm(pair) ** 2, 0))
  const ofOthers = others.reduce(
    (sum, one) => sum + others.reduce((inner, other) => inner + adapterProduct(one, other), 0),
    0
  )
  return product / (norm * Math.sqrt(ofOthers))
}

/** Inner product of two updates over the modules that both have. */
function adapterProduct(first: LoraAdapter, second: LoraAdapter): number {
  return first.pairs.reduce((sum, pair) => {
    const other = second.pairs.find(({ module }) => module === pair.module)
    return other === undefined ? sum : sum + pairProduct(pair, other)
  }, 0)
}

function pairProduct(first: LoraPair, second: LoraPair): number {
  const { inFeatures, outFeatures } = first
  let sum = 0
  for (let k = 0; k < first.rank; k++) {
    for (let l = 0; l < second.rank; l++) {
      let ofA = 0
      for (let j = 0; j < inFeatures; j++) ofA += first.A[k * inFeatures + j]! * second.A[l * inFeatures + j]!
      let ofB = 0
      for (let i = 0; i < outFeatures; i++)
        ofB += first.B[i * first.rank + k]! * second.B[i * second.rank + l]!
      sum += ofA * ofB
    }
  }
  return loraScale(first) * loraScale(second) * sum
}
