import type { SealedRound } from '../history/sealed-round.ts'
import type { Certificate, Manifest } from '../messages/bodies.ts'
import type { SignedRequest } from '../messages/membership.ts'
import type { Message } from '../messages/message.ts'

/** Mean losses on a member's own held-out text, nats per token. */
export interface HeldOutLoss {
  /** Of the model that the round starts from. */
  readonly before: number
  /** Of that model with one update merged at full weight, clipped as in the stack. */
  readonly after: number
}

/** The inputs of a peer. The shell has verified everything that came from outside. */
export type PeerEvent =
  /** A message that `judge` accepted. */
  | { readonly type: 'message'; readonly message: Message }
  /** An envelope that `judge` called early, as bytes. */
  | { readonly type: 'early'; readonly author: Uint8Array; readonly bytes: Uint8Array }
  /** A certificate that `isValidCertificate` accepted. */
  | { readonly type: 'certificate'; readonly round: number; readonly certificate: Certificate }
  /** A sealed round that `decodeSealedRound` accepted for the current context. */
  | { readonly type: 'sealedRound'; readonly sealedRound: SealedRound }
  /** This peer's training is done; all blocks are durable. */
  | { readonly type: 'trained'; readonly round: number; readonly manifest: Manifest }
  /** This peer's training failed; the round goes on without it. */
  | { readonly type: 'trainingFailed'; readonly round: number; readonly reason: string }
  /**
   * Every block of a manifest is durable. `fault` says why its content is invalid, if it is; `heldOut` how the update
   * changed this member's held-out loss, if that was measured and counts (rule 2 *Validate*).
   */
  | {
      readonly type: 'blocksHeld'
      readonly manifest: Uint8Array
      readonly fault: string | undefined
      readonly heldOut?: HeldOutLoss | undefined
    }
  /** The committed cut is stacked and merged. */
  | {
      readonly type: 'built'
      readonly cut: Uint8Array
      readonly stack: Uint8Array | null
      readonly model: Uint8Array
    }
  /** Rule 8 *Attest*: the model with this digest is available, rebuilt or fetched. */
  | { readonly type: 'rebuilt'; readonly model: Uint8Array }
  /** Rule 16 *Catch-up*: rounds up to this one are followed by their seals alone; see `historyThrough`. */
  | { readonly type: 'behind'; readonly through: number }
  /** Rule 17 *Lost log*: enough members reported their latest attested round; see `silenceNeeded`. */
  | { readonly type: 'recollected'; readonly through: number }
  /** Rule 17 *Lost log*: enough members reported that they know of no other copy of this peer. */
  | { readonly type: 'released' }
  /** Two valid seals of an earlier round were found; `reason` names who signed both. */
  | { readonly type: 'conflict'; readonly reason: string }
  /** The operator requests a change of membership (rule 11 *Membership*). */
  | { readonly type: 'membershipRequest'; readonly signedRequest: SignedRequest }
  | { readonly type: 'timeout'; readonly round: number; readonly timer: string }
