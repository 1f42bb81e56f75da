import { hash } from 'node:crypto'
import { equalBytes } from '../../src/protocol/encoding/bytes.ts'
import type { Signer, Verify } from '../../src/protocol/encoding/signature.ts'

/**
 * Signatures without asymmetric keys, for simulations that need hundreds of thousands of them. Ideal because the
 * simulated faulty members are given only their own signer: none can make a tag in another's name.
 */
export function idealSigner(peer: Uint8Array): Signer {
  return { peer, sign: (message) => tag(peer, message) }
}

export const verifyIdeal: Verify = (peer, message, signature) => equalBytes(tag(peer, message), signature)

function tag(peer: Uint8Array, message: Uint8Array): Uint8Array {
  const both = new Uint8Array(peer.length + message.length)
  both.set(peer)
  both.set(message, peer.length)
  return new Uint8Array(hash('sha512', both, 'buffer'))
}
