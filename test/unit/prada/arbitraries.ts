import fc from 'fast-check'
import { createSeededRandom, type SeededRandom } from '../../../src/data/order/seeded-random.ts'
import {
  type DrawSettings,
  gumbelNoise,
  type RemoteRow,
  remoteRow,
  type Scoring
} from '../../../src/prada/core/index.ts'

/** The settings that every law is tried with. */
export const SETTINGS: Readonly<Record<string, DrawSettings>> = {
  greedy: { temperature: 0 },
  'T = 1': { temperature: 1 },
  'T = 1.3': { temperature: 1.3 },
  'T = 0.7, top-p 0.9': { temperature: 0.7, topP: 0.9 },
  'T = 1.5, top-p 0.6': { temperature: 1.5, topP: 0.6 },
  'top-k 3': { temperature: 1, topK: 3 },
  'top-k 5, top-p 0.8': { temperature: 0.9, topK: 5, topP: 0.8 },
  'min-p 0.1': { temperature: 1, minP: 0.1 },
  'all filters': { temperature: 0.8, topK: 6, topP: 0.95, minP: 0.05 }
}

/** Logits with a spread, sometimes with ties, far tails and banned ids. */
export function randomLogits(random: SeededRandom, size: number, spread: number): Float32Array {
  const ties = random.uniform() < 0.3
  const banned = random.uniform() < 0.3 ? 0.2 : 0
  const logits = Float32Array.from({ length: size }, () => {
    const value = random.normal() * spread
    return ties ? Math.round(value) : value
  })
  for (let id = 1; id < size; id++) if (random.uniform() < banned) logits[id] = Number.NEGATIVE_INFINITY
  return logits
}

/** A position: the remote's row and all that the device knows of it. */
export interface Position {
  readonly row: RemoteRow
  readonly scoring: Scoring
}

export function randomPosition(seed: number, size: number, settings: DrawSettings): Position {
  const random = createSeededRandom(seed)
  const spread = [0.1, 1, 3, 30][random.nextUint32() % 4]!
  const row = remoteRow(
    randomLogits(random, size, spread),
    size,
    random.uniform() < 0.5 ? 'float16' : 'float32'
  )
  const offset = Float64Array.from({ length: size }, () =>
    random.uniform() < 0.3 ? Math.round(random.normal()) : random.normal() * 2
  )
  return { row, scoring: { settings, offset, noise: gumbelNoise(seed, 3) } }
}

export const anySettings = fc.constantFrom(...Object.values(SETTINGS))
