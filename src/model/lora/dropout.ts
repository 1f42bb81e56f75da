import { createSeededRandom } from '../../data/order/seeded-random.ts'

/** Identifies a draw of masks: equal positions in a run give equal masks, so that a resumed run repeats them. */
export interface DropoutDraw {
  readonly seed: number | Uint8Array
  /** Updates done before this one. */
  readonly step: number
  /** Batch within the update, if gradients are accumulated. */
  readonly batch: number
}

/** Input name of a module's dropout mask. */
export function dropoutName(module: string): string {
  return `${module}.lora_dropout`
}

/**
 * Fills masks one after another: 0 with probability `rate` (in steps of 2^-16), otherwise 1 / (1 − rate), which
 * preserves the mean.
 */
export function drawDropout(masks: Iterable<Float32Array>, rate: number, draw: DropoutDraw): void {
  const random = createSeededRandom(drawSeed(draw))
  const threshold = Math.round(rate * 65_536)
  const kept = 65_536 / (65_536 - threshold)
  for (const mask of masks) {
    for (let index = 0; index < mask.length; index += 2) {
      const bits = random.nextUint32()
      mask[index] = (bits & 0xffff) < threshold ? 0 : kept
      if (index + 1 < mask.length) mask[index + 1] = bits >>> 16 < threshold ? 0 : kept
    }
  }
}

function drawSeed({ seed, step, batch }: DropoutDraw): Uint8Array {
  const place = Buffer.alloc(16)
  place.writeDoubleLE(step)
  place.writeDoubleLE(batch, 8)
  const bytes = typeof seed === 'number' ? Buffer.alloc(8) : Buffer.from(seed)
  if (typeof seed === 'number') bytes.writeDoubleLE(seed)
  return Buffer.concat([Buffer.from('dropout'), bytes, place])
}
