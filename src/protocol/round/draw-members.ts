import { hex } from '../encoding/bytes.ts'
import { hashCanonical } from '../encoding/canonical-cbor.ts'

/**
 * Rule 13 *Sample*: `count` of the indices 0 … n − 1, drawn by the round's seed without repetition, ascending; all of
 * them when count is 0 or at least n. A partial shuffle: the i-th draw takes H(domain, {seed, draw: i}), read
 * big-endian, modulo the number of remaining indices.
 */
export function drawMembers(
  domain: 'trainers' | 'committee',
  seed: Uint8Array,
  members: number,
  count: number
): number[] {
  const indices = Array.from({ length: members }, (_, index) => index)
  if (count === 0 || count >= members) return indices
  for (let draw = 0; draw < count; draw++) {
    const number = BigInt(`0x${hex(hashCanonical(domain, { seed, draw }))}`)
    const taken = draw + Number(number % BigInt(members - draw))
    const drawn = indices[taken]!
    indices[taken] = indices[draw]!
    indices[draw] = drawn
  }
  return indices.slice(0, count).sort((left, right) => left - right)
}
