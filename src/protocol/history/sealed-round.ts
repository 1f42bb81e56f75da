import { z } from 'zod'
import { MESSAGE_BYTES_MAX, SEALED_ROUND_BYTES_MAX, VOTERS_MAX } from '../charter/limits.ts'
import { equalBytes } from '../encoding/bytes.ts'
import { byteString, decodeCanonical, encodeCanonical, MalformedError } from '../encoding/canonical-cbor.ts'
import type { Verify } from '../encoding/signature.ts'
import { type Cut, cutSchema, type Seal, sealSchema } from '../messages/bodies.ts'
import { cutId } from '../messages/cut.ts'
import { cutEvidenceFault } from '../messages/evidence.ts'
import { isKind, isValidSeal, judge } from '../messages/judge.ts'
import { cutMembershipFault } from '../messages/membership.ts'
import { decodeEnvelope, type Message } from '../messages/message.ts'
import { followingContext, type RoundContext } from '../round/context.ts'
import { settle } from './settle.ts'

const sealedRoundSchema = z.strictObject({
  seal: sealSchema,
  cut: cutSchema,
  /** Envelopes of the cut's manifests, in the cut's order. */
  manifests: z.array(byteString().refine((bytes) => bytes.length <= MESSAGE_BYTES_MAX)).max(VOTERS_MAX)
})

/** All that a member needs to rebuild a sealed round, except the blocks. */
export interface SealedRound {
  readonly seal: Seal
  readonly cut: Cut
  readonly manifests: readonly Message<'manifest'>[]
}

/** The bytes of a sealed round, as stored and sent. */
export function encodeSealedRound({ seal, cut, manifests }: SealedRound): Uint8Array {
  return encodeCanonical({ seal, cut, manifests: manifests.map(({ bytes }) => bytes) })
}

/** Round and parent that a sealed round claims, unverified; used to find the context to verify it with. */
export function peekSealedRound(bytes: Uint8Array): { round: number; parent: Uint8Array } {
  const { seal } = decodeCanonical(bytes, sealedRoundSchema, SEALED_ROUND_BYTES_MAX)
  return { round: seal.round, parent: seal.parent }
}

/**
 * Decodes a sealed round and verifies it completely against the members of its round: the seal's quorum, the cut, and
 * every manifest of the cut.
 *
 * @throws {MalformedError} naming what is wrong
 */
export function decodeSealedRound(context: RoundContext, bytes: Uint8Array, verify: Verify): SealedRound {
  const {
    seal,
    cut,
    manifests: envelopes
  } = decodeCanonical(bytes, sealedRoundSchema, SEALED_ROUND_BYTES_MAX)
  if (!isValidSeal(context, seal, verify))
    throw new MalformedError(
      `the seal of round ${seal.round} is not signed by a quorum of round ${context.round}'s members`
    )
  if (!equalBytes(cutId(context, cut), seal.cut))
    throw new MalformedError('the cut is not the one named in the seal')
  const fault =
    cutEvidenceFault(context, cut.evidence, verify) ?? cutMembershipFault(context, cut.membership, verify)
  if (fault !== undefined) throw new MalformedError(`the sealed cut: ${fault}`)
  if (envelopes.length !== cut.entries.length) throw new MalformedError('a manifest of the cut is missing')
  const manifests = envelopes.map((envelope, index) => {
    const judgement = judge(context, decodeEnvelope(envelope), verify)
    if (judgement.verdict !== 'accept' || !isKind(judgement.message, 'manifest'))
      throw new MalformedError(`manifest ${index} of the cut is not valid`)
    if (!equalBytes(judgement.message.id, cut.entries[index]!.manifest))
      throw new MalformedError(`manifest ${index} is not the one in the cut`)
    return judgement.message
  })
  return { seal, cut, manifests }
}

/** The context of the round after a sealed one. */
export function contextAfter(context: RoundContext, { seal, cut, manifests }: SealedRound): RoundContext {
  return followingContext(context, settle(context, seal, manifests, cut))
}
