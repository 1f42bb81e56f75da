import { hash } from 'node:crypto'
import { equalBytes } from '../encoding/bytes.ts'

/** Number of reveals in a chain: rounds in which a member may be stacked before it must join again. */
export const REVEAL_CHAIN_LENGTH = 65_536
const LINK_BYTES = 32

/** A member's hash chain (rule 12 *Seed*): its end is published when joining, then one more preimage with every cut. */
export interface RevealChain {
  /** The chain's end. */
  readonly anchor: Uint8Array
  /** The element whose hash is `anchor`; undefined if the chain is exhausted or `anchor` is not on it. */
  before(anchor: Uint8Array): Uint8Array | undefined
}

function hashOf(value: Uint8Array): Uint8Array {
  return hash('sha256', value, 'buffer')
}

/** Whether `reveal` precedes `anchor` on its author's chain (rule 12 *Seed*). */
export function isNextReveal(anchor: Uint8Array, reveal: Uint8Array): boolean {
  return reveal.length === LINK_BYTES && equalBytes(hashOf(reveal), anchor)
}

/**
 * Computes the chain that starts at a 32-byte secret: 65,536 hashes (about 60 ms) and 2 MiB.
 *
 * @throws {RangeError} when the secret has another length
 */
export function createRevealChain(secret: Uint8Array, length = REVEAL_CHAIN_LENGTH): RevealChain {
  if (secret.length !== LINK_BYTES)
    throw new RangeError(`the secret of a reveal chain must have ${LINK_BYTES} bytes, got ${secret.length}`)
  const links = new Uint8Array((length + 1) * LINK_BYTES)
  const link = (index: number) => links.subarray(index * LINK_BYTES, (index + 1) * LINK_BYTES)
  links.set(secret)
  for (let index = 0; index < length; index++) link(index + 1).set(hashOf(link(index)))
  return {
    anchor: link(length).slice(),
    before(anchor) {
      // Searches backwards: a chain is used from its end, so for thousands of rounds the position is near the end.
      for (let index = length; index > 0; index--)
        if (equalBytes(link(index), anchor)) return link(index - 1).slice()
      return undefined
    }
  }
}
