/**
 * The round protocol as pure functions: members agree on which shards a round stacks and on the digest of what they built
 * (`docs/protocol.md`). No clock, no I/O, no ambient randomness: the shell feeds events in and carries effects out.
 *
 * @example
 * const environment = { signer: createSigner(seed), verify: verifyEd25519 }
 * let { state, effects } = start(genesisContext(decodeCharter(file, verifyEd25519)), environment)
 * // carry the effects out, in their order; then, for whatever happens:
 * ;({ state, effects } = step(state, event, environment))
 */
export { bitsOf, compareBytes, equalBytes, hex } from './bytes.ts'
export { encodeCanonical, MalformedError } from './canonical-cbor.ts'
export {
  type Charter,
  charterId,
  checkCharter,
  consortiumCid,
  decodeCharter,
  encodeCharter,
  type Member,
  type SignedCharter
} from './charter.ts'
export { describeConflict, isSameSeal, signedTwice } from './conflicting-seals.ts'
export { type Decoded, type DecoderName, decoders } from './decoders.ts'
export { cutId, isVoid } from './identifiers.ts'
export { decodeInvite, encodeInvite, INVITE_BYTES_MAX, type Invite, type InviteTerms } from './invite.ts'
export { manifestBytesMax, stackedMax } from './limits.ts'
export { requestFault, requestId, signRequest } from './membership.ts'
export type {
  Certificate,
  ChangeRequest,
  Cut,
  Evidence,
  Kind,
  Manifest,
  ManifestShard,
  Seal
} from './messages/bodies.ts'
export { isKind, isValidCertificate, type Judgement, judge } from './messages/judge.ts'
export { decodeEnvelope, type Envelope, MESSAGE_BYTES_MAX, type Message } from './messages/message.ts'
export { describeResilience, maximumFaulty, quorumSize } from './quorum.ts'
export { createRevealChain, REVEAL_CHAIN_LENGTH, type RevealChain } from './reveal-chain.ts'
export { type Effect, type LogRecord, UNKNOWN_ROUND } from './round/effects.ts'
export type { PeerEvent } from './round/events.ts'
export { decodeLogRecord, encodeLogRecord, roundOfRecord } from './round/log-records.ts'
export type { PeerState, Phase, Wish } from './round/state.ts'
export { type Environment, restore, type Step, start, step } from './round/step.ts'
export {
  documentSeed,
  genesisContext,
  memberIndex,
  proposerOf,
  type RoundContext,
  trainingSeed
} from './round-context.ts'
export { type RoundRules, soundRules } from './round-rules.ts'
export { latestAttested, silenceNeeded } from './rules/amnesia.ts'
export { blocksOf, type HeldOutLoss, heldOutFault, manifestFault } from './rules/validate.ts'
export { committeeFailure, describeCommittee, isCommitteeSafe } from './sample.ts'
export {
  contextAfter,
  decodeSealedRound,
  encodeSealedRound,
  peekSealedRound,
  type SealedRound
} from './sealed-round.ts'
export { createSigner, publicKeyOf, type Signer, type Verify, verifyEd25519 } from './signature.ts'
export {
  answerSync,
  decodeSyncAnswer,
  decodeSyncRequest,
  encodeSyncAnswer,
  encodeSyncRequest,
  SYNC_ANSWER_BYTES_MAX,
  SYNC_REQUEST_BYTES_MAX,
  type SyncAnswer,
  type SyncRequest,
  syncRequest
} from './sync.ts'
