import { hex } from '../encoding/bytes.ts'
import { hashCanonical } from '../encoding/canonical-cbor.ts'
import type { RoundContext } from './context.ts'

/** Rule 4 *Propose*: the proposer of a view is voters[(H(seed) + view) mod n], the hash read big-endian. */
export function proposerOf({ seed, voters }: RoundContext, view: number): number {
  return voters[Number((firstTurn(seed) + BigInt(view)) % BigInt(voters.length))]!
}

/** Cached by seed, since every proposal and vote of a round needs it. */
const turns = new WeakMap<Uint8Array, bigint>()

function firstTurn(seed: Uint8Array): bigint {
  const known = turns.get(seed)
  if (known !== undefined) return known
  const turn = BigInt(`0x${hex(hashCanonical('proposer', seed))}`)
  turns.set(seed, turn)
  return turn
}
