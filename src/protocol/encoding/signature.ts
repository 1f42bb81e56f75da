import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { equalBytes, hex } from './bytes.ts'

/** A PeerId (multihash bytes of an Ed25519 key) with its signing function, which is deterministic. */
export interface Signer {
  readonly peer: Uint8Array
  sign(message: Uint8Array): Uint8Array
}

/** Verifies a signature: real Ed25519 in a peer, ideal signatures in long simulations. */
export type Verify = (peer: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** An Ed25519 PeerId: identity multihash (00), 36 bytes, of a protobuf key of type 1 (08 01) with 32 bytes (12 20). */
const PEER_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
const PUBLIC_KEY_BYTES = 32
const SPKI_PREFIX = Uint8Array.from([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00])
const PKCS8_PREFIX = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20
])
/** Creating a key object takes about 20 µs, and at most 256 members vote. */
const KEY_CACHE_MAX = 1024

/**
 * The y coordinates (little-endian, sign bit cleared) of the points of order 1, 2, 4 and 8, with their non-canonical
 * encodings: under such a key one signature can fit many messages (RFC 8032, section 8; rule 18 *One verifier*).
 */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'
])

/** The 32 bytes of the Ed25519 key inside a PeerId, or undefined for any other PeerId. */
export function publicKeyOf(peer: Uint8Array): Uint8Array | undefined {
  const fits =
    peer.length === PEER_PREFIX.length + PUBLIC_KEY_BYTES &&
    equalBytes(peer.subarray(0, PEER_PREFIX.length), PEER_PREFIX)
  return fits ? peer.subarray(PEER_PREFIX.length) : undefined
}

/** The PeerId bytes of a raw Ed25519 public key. */
export function peerOf(publicKey: Uint8Array): Uint8Array {
  return Uint8Array.from([...PEER_PREFIX, ...publicKey])
}

/** Whether a raw public key is of small order and must be refused. */
export function isSmallOrder(publicKey: Uint8Array): boolean {
  const cleared = Uint8Array.from(publicKey)
  cleared[31]! &= 0x7f
  return SMALL_ORDER.has(hex(cleared))
}

const keys = new Map<string, KeyObject>()

function keyOf(peer: Uint8Array): KeyObject | undefined {
  const name = hex(peer)
  const known = keys.get(name)
  if (known !== undefined) return known
  const raw = publicKeyOf(peer)
  if (raw === undefined || isSmallOrder(raw)) return undefined
  const der = Buffer.concat([SPKI_PREFIX, raw])
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  if (keys.size >= KEY_CACHE_MAX) keys.clear()
  keys.set(name, key)
  return key
}

/**
 * Rule 18 *One verifier*: the only place where Ed25519 signatures are verified (RFC 8032, cofactorless, one at a time).
 * Never throws: a malformed key or signature is invalid.
 */
export const verifyEd25519: Verify = (peer, message, signature) => {
  const key = signature.length === 64 ? keyOf(peer) : undefined
  return key !== undefined && verify(null, message, key, signature)
}

/**
 * A signer over a raw 32-byte Ed25519 seed.
 *
 * @throws {RangeError} when the seed is not 32 bytes
 */
export function createSigner(seed: Uint8Array): Signer {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed must have 32 bytes, got ${seed.length}`)
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return { peer: peerOf(spki.subarray(SPKI_PREFIX.length)), sign: (message) => sign(null, message, key) }
}
