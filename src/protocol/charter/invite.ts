import { z } from 'zod'
import { equalBytes } from '../encoding/bytes.ts'
import {
  byteString,
  decodeCanonical,
  encodeCanonical,
  MalformedError,
  withDomain
} from '../encoding/canonical-cbor.ts'
import { digestSchema, memberPeerSchema, signatureSchema, textSchema } from '../encoding/schemas.ts'
import type { Signer, Verify } from '../encoding/signature.ts'
import { decodeCharter, type SignedCharter } from './charter.ts'
import { CHARTER_BYTES_MAX } from './limits.ts'

/** Maximum size of an invite in bytes: a charter, and little else. */
export const INVITE_BYTES_MAX = CHARTER_BYTES_MAX + 64 * 1024
const ADDRESSES_MAX = 64

const termsSchema = z.strictObject({
  version: z.literal(1),
  /** The complete charter file. */
  charter: byteString().refine((bytes) => bytes.length <= CHARTER_BYTES_MAX, 'the charter is too long'),
  /** The last sealed round that the inviter knows, 0 before the first; the id of its seal, and the resulting model. */
  round: z.number().int().min(0),
  seal: digestSchema,
  model: digestSchema,
  /** Addresses of members, each ending in `/p2p/<PeerId>`. */
  bootstrap: z.array(textSchema(512).min(1)).max(ADDRESSES_MAX),
  /** Expiry, in seconds since 1970. */
  expires: z.number().int().positive(),
  inviter: memberPeerSchema
})
const inviteSchema = z.strictObject({ terms: termsSchema, signature: signatureSchema })

/** What a member gives a candidate: the consortium, a seal to trust, and bootstrap addresses. */
export type InviteTerms = z.infer<typeof termsSchema>
/** A verified invite. */
export type Invite = InviteTerms & { readonly signedCharter: SignedCharter }

/** Signs an invite as a member and returns its bytes. */
export function encodeInvite(terms: Omit<InviteTerms, 'version' | 'inviter'>, signer: Signer): Uint8Array {
  const whole: InviteTerms = { version: 1, ...terms, inviter: signer.peer }
  return encodeCanonical({ terms: whole, signature: signer.sign(signedBytes(whole)) })
}

/**
 * Decodes an invite and verifies its charter and signature. Before the first round the inviter must be one of the
 * charter's members; whether it is a member later can only be checked once the invite's round is reached.
 *
 * @throws {MalformedError}
 */
export function decodeInvite(bytes: Uint8Array, verify: Verify): Invite {
  const { terms, signature } = decodeCanonical(bytes, inviteSchema, INVITE_BYTES_MAX)
  if (!verify(terms.inviter, signedBytes(terms), signature))
    throw new MalformedError('the signature of the invite is not valid: the invite was changed')
  const signedCharter = decodeCharter(terms.charter, verify)
  const isFounder = signedCharter.charter.members.some(({ peer }) => equalBytes(peer, terms.inviter))
  if (terms.round === 0 && !isFounder)
    throw new MalformedError("its signer is not one of the charter's members, and nobody else has joined yet")
  return { ...terms, signedCharter }
}

function signedBytes(terms: InviteTerms): Uint8Array {
  return withDomain('invite', encodeCanonical(terms))
}
