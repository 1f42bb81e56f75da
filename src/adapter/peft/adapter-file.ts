import { decodeSafetensors, encodeSafetensors } from '../../formats/safetensors/safetensors.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import type { LoraAdapter } from '../pair/lora-adapter.ts'
import { adapterFromTensors, adapterTensors } from './adapter-tensors.ts'

/** A peer's result of one round: its adapter as sent, and the number of documents that it was trained on. */
export interface LocalAdapter {
  readonly adapter: LoraAdapter
  /** Training documents, at least 1. */
  readonly samples: number
}

/**
 * Writes a peer's own adapter of one round (`rounds/<r>/local.safetensors`): A and B unscaled under their PEFT keys,
 * metadata `rank`, `alpha` and `samples` as decimal strings. A module whose rank or alpha differs from the first one's
 * has its own `rank:<module>` and `alpha:<module>`.
 *
 * @throws {AdapterError} for an empty adapter or numbers that do not fit together
 */
export function encodeAdapterFile({ adapter, samples }: LocalAdapter): Uint8Array {
  const tensors = adapterTensors(adapter)
  const first = adapter.pairs[0]
  if (first === undefined) throw new AdapterError('an adapter without modules cannot be written')
  if (!isSampleCount(samples)) throw new AdapterError(`samples must be a positive integer, got ${samples}`)
  const metadata: Record<string, string> = {
    rank: String(first.rank),
    alpha: String(first.alpha),
    samples: String(samples)
  }
  for (const { module, rank, alpha } of adapter.pairs) {
    if (rank === first.rank && alpha === first.alpha) continue
    metadata[`rank:${module}`] = String(rank)
    metadata[`alpha:${module}`] = String(alpha)
  }
  return encodeSafetensors(tensors, { metadata })
}

/**
 * Reads what {@link encodeAdapterFile} writes.
 *
 * @throws {AdapterError} when the file or its metadata is damaged
 */
export function decodeAdapterFile(bytes: Uint8Array): LocalAdapter {
  const { tensors, metadata } = decodeSafetensors(bytes)
  const samples = readNumber(metadata, 'samples')
  if (!isSampleCount(samples))
    throw new AdapterError(`metadata samples must be a positive integer, got ${samples}`)
  const adapter = adapterFromTensors(tensors, (module, rank) => {
    const own = metadata[`rank:${module}`] !== undefined
    const stated = readNumber(metadata, own ? `rank:${module}` : 'rank')
    if (stated !== rank) throw new AdapterError(`${module} has rank ${rank}, but its metadata says ${stated}`)
    return readNumber(metadata, own ? `alpha:${module}` : 'alpha')
  })
  return { adapter, samples }
}

function readNumber(metadata: Readonly<Record<string, string>>, key: string): number {
  const text = metadata[key]
  if (text === undefined || !/^\d+(\.\d+)?(e[+-]?\d+)?$/.test(text)) {
    throw new AdapterError(`metadata ${key} is ${text === undefined ? 'missing' : 'not a decimal number'}`)
  }
  return Number(text)
}

function isSampleCount(samples: number): boolean {
  return Number.isSafeInteger(samples) && samples >= 1
}
