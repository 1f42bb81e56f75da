import type { SeededRandom } from './seeded-random.ts'

/** How the next token is drawn. */
export interface SamplingSettings {
  /** Divides the logits; 0 takes the likeliest token. 1 where it is absent. */
  readonly temperature?: number
  /** Only the k likeliest tokens; all where it is absent. */
  readonly topK?: number
  /** Only the likeliest tokens that together reach this probability; 1 where it is absent. */
  readonly topP?: number
}

/** Draws a token id from logits. Equal logits are taken in the order of their ids. */
export function sampleToken(logits: Float32Array, settings: SamplingSettings, random: SeededRandom): number {
  const { temperature = 1, topK = logits.length, topP = 1 } = settings
  if (temperature === 0) return logits.reduce((best, value, id) => (value > logits[best]! ? id : best), 0)
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b)
  const highest = logits[order[0]!]!
  const candidates = order.slice(0, topK)
  const shares = candidates.map((id) => Math.exp((logits[id]! - highest) / temperature))
  const total = shares.reduce((sum, share) => sum + share, 0)
  let kept = 0
  let count = 0
  while (count < shares.length && kept < topP * total) kept += shares[count++]!
  let draw = random.uniform() * kept
  for (let index = 0; index < count; index++) {
    draw -= shares[index]!
    if (draw < 0) return candidates[index]!
  }
  return candidates[Math.max(0, count - 1)]!
}
