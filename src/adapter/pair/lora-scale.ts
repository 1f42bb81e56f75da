import type { LoraPair } from './lora-adapter.ts'

/** The scale s of a pair: alpha / rank, or alpha / √rank for rsLoRA. */
export function loraScale({ rank, alpha }: Pick<LoraPair, 'rank' | 'alpha'>, rsLora = false): number {
  return alpha / (rsLora ? Math.sqrt(rank) : rank)
}
