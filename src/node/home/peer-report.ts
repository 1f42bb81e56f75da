import type { Phase } from '../../protocol/index.ts'
import type { RoundEvaluation } from './evaluation-file.ts'

/** A member's part of a sealed cut. */
export interface CutEntry {
  readonly peerId: string
  readonly rank: number
  readonly samples: number
  /** Its share of the stack, 0 to 1, by rule 9. */
  readonly weight: number
}

/** Wall time of a peer's phases in one round, milliseconds. */
export interface PhaseTimes {
  readonly train: number
  readonly gather: number
  readonly decide: number
  readonly stack: number
  readonly seal: number
}

/** What a peer is doing. */
export interface ProgressReport {
  readonly type: 'progress'
  readonly round: number
  readonly phase: Phase | 'serving' | 'halted'
  readonly view: number
  readonly step: number
  readonly steps: number
  /** Nats per token of the last step's batch; null before the first. */
  readonly loss: number | null
  /** Shards of this round's manifests: held completely, and known. */
  readonly shardsHeld: number
  readonly shardsKnown: number
  readonly connected: number
}

/** What every member knows of a sealed round. */
export interface RoundSummary {
  readonly round: number
  /** Empty in a void round. */
  readonly cut: readonly CutEntry[]
  /** Hex; null in a void round. */
  readonly stackDigest: string | null
  readonly modelDigest: string
}

/** A round that was sealed. */
export interface SealedReport extends RoundSummary {
  readonly type: 'sealed'
  readonly ms: PhaseTimes
  /** Payload bytes (blocks, gossip, sync) that came in during the round. */
  readonly bytesReceived: number
}

/** The verdict on a bootstrap address that does not answer, or answers again. */
export interface BootstrapReport {
  readonly type: 'bootstrap'
  readonly address: string
  /** `answers`, `refused`, `timeout`, `wrong-peer` and so on. */
  readonly outcome: string
  readonly reason: string
  /** What to do; empty if nothing. */
  readonly advice: string
}

/** The effect of a received update on this peer's held-out loss, nats per token (rule 2 *Validate*). */
export interface HeldOutReport {
  readonly type: 'heldOut'
  readonly round: number
  /** The update's author. */
  readonly peerId: string
  readonly before: number
  readonly after: number
  /** Whether the endorsement is withheld because of it. */
  readonly isRefused: boolean
}

/** A member of the cut whose shards are left out of the stack because of their content (rule 7 *Build is total*). */
export interface LeftOutReport {
  readonly type: 'leftOut'
  readonly round: number
  readonly peerId: string
  /** What is wrong with them, naming the module. */
  readonly reason: string
}

/** Two copies of one identity run at once. */
export interface CopyReport {
  readonly type: 'copied'
  /** Whose copies: this peer's, or another member's. */
  readonly peerId: string
  readonly isOwn: boolean
  /** Why this copy stops and what to do, where it is the younger one of this peer. */
  readonly stops?: string
}

/** What a peer reports to its observers. */
export type PeerReport =
  | { readonly type: 'listening'; readonly peerId: string; readonly addresses: readonly string[] }
  | ProgressReport
  | SealedReport
  | { readonly type: 'halted'; readonly reason: string }
  | CopyReport
  /** A message of this peer's own key is not in its log: it signs nothing until it knows what was signed (rule 17). */
  | { readonly type: 'contradicted'; readonly round: number }
  | BootstrapReport
  | HeldOutReport
  /** What is known of the round's losses so far. */
  | ({ readonly type: 'evaluation' } & RoundEvaluation)
  | LeftOutReport
  | { readonly type: 'incompatible'; readonly peerId: string; readonly reason: string }
