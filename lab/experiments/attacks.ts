import type { LoraAdapter, LoraPair } from '../../src/adapter/index.ts'
import { updateNorm } from '../../src/adapter/index.ts'
import type { TrainingBatch } from '../../src/data/index.ts'
import { createSeededRandom } from '../../src/model/index.ts'

/** How a malicious member changes its adapter, or its text. */
export type Attack = 'scaled' | 'sign-flipped' | 'random' | 'label-flipped'

/** Every attack, in the order of the report. */
export const ATTACKS: readonly Attack[] = ['scaled', 'sign-flipped', 'random', 'label-flipped']

/** Factor by which a scaled or random update exceeds an honest one. */
export const ATTACK_SCALE = 30

/** The adapter that a malicious member sends in place of the one it trained. */
export function poisonAdapter(adapter: LoraAdapter, attack: Attack, seed: number): LoraAdapter {
  if (attack === 'label-flipped') return adapter
  if (attack === 'scaled') return { pairs: adapter.pairs.map((pair) => scaleB(pair, ATTACK_SCALE)) }
  if (attack === 'sign-flipped') return { pairs: adapter.pairs.map((pair) => scaleB(pair, -1)) }
  const random = createSeededRandom(seed)
  return { pairs: adapter.pairs.map((pair) => randomPair(pair, () => random.normal())) }
}

/** A batch with reversed targets: id i becomes the i-th from the end of the vocabulary. */
export function flipLabels(batch: TrainingBatch, vocabularySize: number): TrainingBatch {
  return { ...batch, targetIds: batch.targetIds.map((id) => vocabularySize - 1 - id) }
}

/** Normal numbers of {@link ATTACK_SCALE} times the norm that the pair's ΔW had. */
function randomPair(pair: LoraPair, normal: () => number): LoraPair {
  const drawn = { ...pair, A: pair.A.map(normal), B: pair.B.map(normal) }
  return scaleB(drawn, (ATTACK_SCALE * updateNorm(pair)) / updateNorm(drawn))
}

function scaleB(pair: LoraPair, factor: number): LoraPair {
  return { ...pair, B: pair.B.map((element) => element * factor) }
}
