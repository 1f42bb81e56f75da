import { UsageError } from '../../terminal/usage-error.ts'

/** How shards are weighted according to `--weights`: by samples (undefined), uniformly, or by PeerId. */
export type WeightsOption = 'uniform' | ReadonlyMap<string, number> | undefined

/**
 * Reads `samples`, `uniform`, or weights by PeerId as `PEERID=3,PEERID=1`.
 *
 * @throws {UsageError} for anything else, or a repeated PeerId
 */
export function memberWeightsOption(text: string): WeightsOption {
  if (text === 'samples') return undefined
  if (text === 'uniform') return text
  const weights = new Map<string, number>()
  for (const part of text.split(',')) {
    const [, peerId, digits] = /^\s*(\w+)=([1-9]\d{0,12})\s*$/.exec(part) ?? []
    if (peerId === undefined || digits === undefined)
      throw new UsageError(
        `--weights must be samples, uniform, or PEERID=N,PEERID=N with positive integers, got ${JSON.stringify(text)}`
      )
    if (weights.has(peerId)) throw new UsageError(`--weights names ${peerId} twice`)
    weights.set(peerId, Number(digits))
  }
  return weights
}
