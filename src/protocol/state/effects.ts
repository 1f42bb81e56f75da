import type { SealedRound } from '../history/sealed-round.ts'
import type { Certificate, Cut } from '../messages/bodies.ts'
import type { SignedRequest } from '../messages/membership.ts'
import type { Message } from '../messages/message.ts'
import type { RoundContext } from '../round/context.ts'

/** A record that must be durable before the following effects are carried out. */
export type LogRecord = SignedRecord | ValidRecord | SilentRecord

/** Placeholder for a silence whose end is not known yet. */
export const UNKNOWN_ROUND = Number.MAX_SAFE_INTEGER

/** Rule 17 *Lost log*: this peer lost its log and signs nothing up to and including a round. */
export interface SilentRecord {
  readonly type: 'silent'
  readonly through: number
}

/**
 * A message signed by this peer, with what it claims to hold: a ready's certificates, so that a restarted peer can
 * still prove them.
 */
export interface SignedRecord {
  readonly type: 'signed'
  readonly envelope: Uint8Array
  readonly certificates?: readonly Certificate[]
}

/**
 * The valid cut, which is locked if a precommit of the same view follows (rule 5 *Vote*), with the envelopes of the
 * prevotes that made it valid: members do not vote for a cut whose validity is not proven, and the others may have lost
 * these prevotes.
 */
export interface ValidRecord {
  readonly type: 'valid'
  readonly round: number
  readonly view: number
  readonly cut: Cut
  readonly prevotes: readonly Uint8Array[]
}

/** What the shell has to do. Effects are carried out in order. */
export type Effect =
  | { readonly type: 'persist'; readonly record: LogRecord }
  | { readonly type: 'broadcast'; readonly message: Message }
  /** Fetch every block of a manifest, make it durable, validate it, then report `blocksHeld`. */
  | { readonly type: 'fetch'; readonly message: Message<'manifest'> }
  | { readonly type: 'train'; readonly context: RoundContext }
  | { readonly type: 'cancelTraining' }
  | { readonly type: 'timer'; readonly round: number; readonly timer: string; readonly milliseconds: number }
  /** Stack and merge the cut; all its blocks are held. */
  | {
      readonly type: 'build'
      readonly context: RoundContext
      readonly cut: Cut
      readonly cutId: Uint8Array
      readonly manifests: readonly Message<'manifest'>[]
    }
  /**
   * This peer's build is not what a quorum sealed, and its files are wrong. Comes before `sealed`; `rebuild` comes
   * after it (rule 8 *Attest*).
   */
  | {
      readonly type: 'diverged'
      readonly context: RoundContext
      readonly sealedRound: SealedRound
      readonly built: Uint8Array
    }
  /** Fetch the model that the round starts from, whose digest is `context.modelDigest`, then report `rebuilt`. */
  | { readonly type: 'rebuild'; readonly context: RoundContext }
  /** This peer's manifest was not signed, because the others would refuse it; the round goes on without it. */
  | { readonly type: 'unpublished'; readonly reason: string }
  /** This member does not endorse a manifest, because of the manifest itself or its blocks (rule 2 *Validate*). */
  | {
      readonly type: 'refused'
      readonly author: Uint8Array
      readonly manifest: Uint8Array
      readonly reason: string
    }
  /** Rule 3 *Ready*: an author was missing in `rounds` consecutive rounds; after three it is no longer waited for. */
  | {
      readonly type: 'missed'
      readonly author: Uint8Array
      readonly isInvalid: boolean
      /** Whether it had announced a manifest. */
      readonly isAnnounced: boolean
      readonly rounds: number
      readonly isGivenUp: boolean
    }
  /** An author that was given up is stacked, and is waited for again. */
  | { readonly type: 'awaitedAgain'; readonly author: Uint8Array }
  /** A membership request of the operator cannot take effect in this round. */
  | { readonly type: 'requestRefused'; readonly signedRequest: SignedRequest; readonly reason: string }
  | { readonly type: 'certified'; readonly certificate: Certificate }
  | { readonly type: 'sealed'; readonly context: RoundContext; readonly sealedRound: SealedRound }
  /** Two conflicting messages that one member signed (rule 10 *Evidence*). */
  | { readonly type: 'equivocation'; readonly first: Message; readonly second: Message }
  /**
   * Rule 17 *Lost log*: a valid message signed with this peer's key is not in its log; from now on it signs nothing.
   */
  | { readonly type: 'contradicted'; readonly message: Message }
  | { readonly type: 'halt'; readonly reason: string }
