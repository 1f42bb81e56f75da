import { createHash } from 'node:crypto'
import type { HeldWeights } from '../../../model/index.ts'
import type { TrainSettings } from './settings.ts'

/**
 * Everything that the bits of a run depend on: a checkpoint whose values differ is refused. Settings that only say
 * where files are or how often something happens may change when a run is resumed.
 */
export function runIdentity(
  settings: TrainSettings,
  derived: { readonly data: string; readonly config: object } & Record<string, unknown>
): Record<string, unknown> {
  const { batchSize, accumulation, packing, schedule, learningRate } = settings
  const { weightDecay, clipNorm, seed, patience, evalEvery } = settings
  // An evaluation only affects whether and at which step the run stops.
  const stopping = patience === undefined ? {} : { patience, evalEvery }
  const chosen = { batchSize, accumulation, packing, schedule, learningRate }
  return JSON.parse(JSON.stringify({ ...chosen, weightDecay, clipNorm, seed, ...stopping, ...derived }))
}

/** Elements of each tensor that are compared to distinguish two models of the same shape. */
const SAMPLED_ELEMENTS = 1024

/** A digest of the beginning of every tensor, which identifies the base without reading all of it. */
export function sampleDigest({ feeds }: HeldWeights): string {
  const hash = createHash('sha256')
  for (const [name, data] of feeds) {
    const { buffer, byteOffset } = data
    const bytes = Math.min(data.length, SAMPLED_ELEMENTS) * data.BYTES_PER_ELEMENT
    hash.update(name).update(new Uint8Array(buffer, byteOffset, bytes))
  }
  return hash.digest('hex')
}
