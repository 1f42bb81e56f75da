import type { LoraAdapter } from '../../../../src/adapter/index.ts'
import type { UpdateEvaluator, UpdateLossOptions } from '../../../../src/model/index.ts'

const LOSS = 3

/** An update whose B says by how much it raises the loss of each judge. */
export function updateOf(...harms: number[]): LoraAdapter {
  const B = Float32Array.from(harms)
  return {
    pairs: [
      { module: 'm', rank: 1, alpha: 1, inFeatures: 1, outFeatures: B.length, A: Float32Array.of(1), B }
    ]
  }
}

/** The first id of a judge's text is its index. */
export const evaluator: UpdateEvaluator = {
  async loss({ ids, update }: UpdateLossOptions) {
    const harms = update === undefined ? [] : update.pairs[0]!.B
    return LOSS + (harms[ids[0]!] ?? 0)
  },
  async dispose() {}
}
