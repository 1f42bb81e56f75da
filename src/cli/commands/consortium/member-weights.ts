import { UsageError } from '../../terminal/usage-error.ts'

/** How shards are weighted according to `--weights`: by tokens (undefined), by documents, uniformly, or by PeerId. */
export type WeightsOption = 'uniform' | 'documents' | ReadonlyMap<string, number> | undefined

/**
 * Reads `tokens`, `documents`, `uniform`, or weights by PeerId as `PEERID=3,PEERID=1`.
 *
 * @throws {UsageError} for anything else, or a repeated PeerId
 */
export function memberWeightsOption(text: string): WeightsOption {
  if (text === 'tokens') return undefined
  if (text === 'uniform' || text === 'documents') return text
  const weights = new Map<string, number>()
  for (const part of text.split(',')) {
    const [, peerId, digits] = /^\s*(\w+)=([1-9]\d{0,12})\s*$/.exec(part) ?? []
    if (peerId === undefined || digits === undefined)
      throw new UsageError(
        `--weights must be tokens, documents, uniform, or PEERID=N,PEERID=N with positive integers, got ${JSON.stringify(text)}`
      )
    if (weights.has(peerId)) throw new UsageError(`--weights names ${peerId} twice`)
    weights.set(peerId, Number(digits))
  }
  return weights
}
