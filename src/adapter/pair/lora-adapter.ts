/**
 * One module's LoRA pair: ΔW = (alpha / rank) · B · A, with W [out, in] (FLoRA, section 2: W is m×n, A r×n, B m×r).
 */
export interface LoraPair {
  /** Module name inside the base model, without a `.weight` ending: `model.layers.0.self_attn.q_proj`. */
  readonly module: string
  readonly rank: number
  readonly alpha: number
  readonly inFeatures: number
  readonly outFeatures: number
  /** [rank, inFeatures], row-major. */
  readonly A: Float32Array
  /** [outFeatures, rank], row-major. */
  readonly B: Float32Array
}

/** A LoRA adapter: its pairs, sorted by module name (by UTF-16 code units). */
export interface LoraAdapter {
  readonly pairs: readonly LoraPair[]
}
