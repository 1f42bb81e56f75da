/**
 * The round protocol as pure functions: members agree on which shards a round stacks and on the digest of what they
 * built (`docs/spec/README.md`). No clock, no I/O, no ambient randomness: the shell feeds in events and carries out
 * effects.
 *
 * @example const environment = { signer: createSigner(seed), verify: verifyEd25519 } let { state, effects } =
 * start(genesisContext(decodeCharter(file, verifyEd25519)), environment) // carry out the effects in order; then, for
 * each event: ;({ state, effects } = step(state, event, environment))
 */

export {
  type BaseFile,
  baseDigest,
  baseFileBytesMax,
  isBaseFileName,
  modelFileBytes
} from './charter/base-files.ts'
export {
  type Charter,
  charterId,
  checkCharter,
  consortiumCid,
  decodeCharter,
  encodeCharter,
  type Member,
  type SignedCharter
} from './charter/charter.ts'
export { committeeFailure, describeCommittee } from './charter/committee.ts'
export { decodeInvite, encodeInvite, INVITE_BYTES_MAX, type Invite } from './charter/invite.ts'
export { describeResilience, maximumFaulty, quorumSize } from './charter/quorum.ts'
export { createRevealChain, type RevealChain } from './charter/reveal-chain.ts'
export { compareBytes, equalBytes, hex } from './encoding/bytes.ts'
export {
  byteString,
  decodeCanonical,
  encodeCanonical,
  hashCanonical,
  MalformedError
} from './encoding/canonical-cbor.ts'
export { textSchema } from './encoding/schemas.ts'
export { createSigner, type Signer, type Verify, verifyEd25519 } from './encoding/signature.ts'
export { describeConflict, isSameSeal, signedTwice } from './history/conflicting-seals.ts'
export {
  contextAfter,
  decodeSealedRound,
  encodeSealedRound,
  peekSealedRound,
  type SealedRound
} from './history/sealed-round.ts'
export { type Environment, restore, type Step, start, step } from './machine.ts'
export type { ChangeRequest, Manifest, ManifestShard, Seal } from './messages/bodies.ts'
export { cutId, isVoid } from './messages/cut.ts'
export { isValidCertificate, type Judgement, judge } from './messages/judge.ts'
export { requestFault, requestId, type SignedRequest, signRequest } from './messages/membership.ts'
export { decodeEnvelope, type Envelope, type Message } from './messages/message.ts'
export { genesisContext, memberIndex, type RoundContext } from './round/context.ts'
export { documentSeed, trainingSeed } from './round/training-seeds.ts'
export { checkpointDistance } from './rules/catch-up.ts'
export { type EarlyEnvelopes, withEarly } from './rules/hear.ts'
export { latestAttested, silenceNeeded } from './rules/lost-log.ts'
export { isRetained } from './rules/retain.ts'
export { blocksOf, heldOutFault, manifestFault } from './rules/validate.ts'
export { afterFault } from './rules/vote.ts'
export { memberWeights } from './rules/weights.ts'
export { type Effect, type LogRecord, UNKNOWN_ROUND } from './state/effects.ts'
export type { HeldOutLoss, PeerEvent } from './state/events.ts'
export { isOutrun } from './state/keep.ts'
export { decodeLogRecord, encodeLogRecord, roundOfRecord } from './state/log-records.ts'
export { messagesOf, NO_MESSAGES, slotOf } from './state/slots.ts'
export { isHeld, type PeerState, type Phase } from './state/state.ts'
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
