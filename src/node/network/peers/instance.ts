import { randomBytes } from 'node:crypto'
import { uptime } from 'node:os'
import { z } from 'zod'
import {
  byteString,
  encodeCanonical,
  equalBytes,
  hex,
  type Signer,
  verifyEd25519
} from '../../../protocol/index.ts'

/** Bytes of an instance id: two are never equal by chance. */
const ID_BYTES = 16
export const instanceIdSchema = byteString(ID_BYTES)

/**
 * What a running copy of an identity signs about another: that it lives after the other began, for it knows the other's id,
 * which is drawn at its start. Two that name each other ran at the same time, whatever any clock says, and however late
 * either arrives.
 */
export const copyProofSchema = z.strictObject({
  /** The one that signs. */
  instance: instanceIdSchema,
  /** The one that it has heard of. */
  other: instanceIdSchema,
  /** How long the one that signs has been running, milliseconds. */
  ageMs: z.number().int().min(0),
  signature: byteString(64)
})
export type CopyProof = z.infer<typeof copyProofSchema>

/** One run of a peer: what tells two live copies of an identity apart. */
export interface Instance {
  /** Drawn at the start. */
  readonly id: Uint8Array
  /** PeerId, multihash bytes. */
  readonly peer: Uint8Array
  /** How long it has been running, milliseconds, sleep of the machine included. */
  readonly ageMs: () => number
  /** Signs that this instance lives and has heard of another. */
  readonly prove: (other: Uint8Array) => CopyProof
}

/** Begins an instance of an identity in a consortium. */
export function createInstance(signer: Signer, charterId: Uint8Array): Instance {
  const id = Uint8Array.from(randomBytes(ID_BYTES))
  // Unlike `performance.now`, this goes on while the machine sleeps.
  const began = uptime()
  const ageMs = () => Math.round((uptime() - began) * 1_000)
  return {
    id,
    peer: signer.peer,
    ageMs,
    prove(other) {
      const said = { instance: id, other, ageMs: ageMs() }
      return { ...said, signature: signer.sign(signedBytes(charterId, said)) }
    }
  }
}

/** Whether a proof is signed with the key of `peer`, for this consortium. */
export function isValidProof(peer: Uint8Array, charterId: Uint8Array, proof: CopyProof): boolean {
  const { signature, ...said } = proof
  return (
    !equalBytes(said.instance, said.other) && verifyEd25519(peer, signedBytes(charterId, said), signature)
  )
}

function signedBytes(charter: Uint8Array, said: Omit<CopyProof, 'signature'>): Uint8Array {
  return Buffer.concat([Buffer.from('loam/instance/1\0'), encodeCanonical({ charter, ...said })])
}

/** Starts this close together count as one moment: a proof's way takes time, and both have to come to the same answer. */
const TIE_MS = 2_000

/**
 * Whether, of two live copies, `own` is the one that stops: the younger; of two that started together the one with the greater
 * id. The proof's age is that at its signing: one that arrives late makes its signer look younger, never older.
 */
export function isYounger(own: Pick<Instance, 'id' | 'ageMs'>, proof: CopyProof): boolean {
  const youngerByMs = proof.ageMs - own.ageMs()
  if (Math.abs(youngerByMs) >= TIE_MS) return youngerByMs > 0
  return hex(own.id) > hex(proof.instance)
}

/** Why the younger of two copies stops, and what its operator has to do. */
export function copyAdvice(peerId: string): string {
  return `another copy of this peer (${peerId}) is running, and has been for longer: this one stops, so that the two do not sign against each other. Run one home only; to go on with this one, stop the other for good and start this one again`
}
