import { memberIndex, type RoundContext } from '../charter/round-context.ts'
import type { SealedRound } from '../history/sealed-round.ts'
import type { Certificate, ChangeRequest, Cut, Evidence } from '../messages/bodies.ts'
import type { Message } from '../messages/message.ts'
import { type Delays, NO_DELAYS } from '../rules/deadline.ts'
import type { LogRecord } from './effects.ts'

/** Where a peer stands in its round (DESIGN §5). */
export type Phase = 'training' | 'gathering' | 'deciding' | 'stacking' | 'sealing'

/** What a peer has of a manifest's blocks: on their way; there and valid; there and not valid; not wanted. */
export type Holding = 'fetching' | 'valid' | 'invalid' | 'refused'

/** Verified messages of one kind and slot by author; at most two distinct ones each (rule 15 *Bounds*). */
export type Slot = ReadonlyMap<number, readonly Message[]>

/** What a member's operator wants of the membership, with the candidate's or leaver's signature. */
export interface SignedRequest {
  readonly request: ChangeRequest
  readonly own: Uint8Array | null
}

/** A peer's whole protocol state in one round, as a value. */
export interface PeerState {
  readonly context: RoundContext
  /** Own index among the members, or −1 for one who only watches. */
  readonly self: number
  readonly phase: Phase
  /** By `<kind>/<slot>`. */
  readonly messages: ReadonlyMap<string, Slot>
  /** By author. */
  readonly certificates: ReadonlyMap<number, Certificate>
  /** By manifest id in hex. */
  readonly holdings: ReadonlyMap<string, Holding>
  /** Current view, −1 before `deciding`. */
  readonly view: number
  readonly step: 'propose' | 'prevote' | 'precommit'
  readonly locked: { readonly view: number; readonly id: Uint8Array } | undefined
  readonly valid: { readonly view: number; readonly id: Uint8Array; readonly cut: Cut } | undefined
  /** Timers that were set, and those that ran out. */
  readonly timers: ReadonlySet<string>
  readonly expired: ReadonlySet<string>
  readonly committed: { readonly id: Uint8Array; readonly cut: Cut } | undefined
  readonly building: boolean
  readonly built: { readonly stack: Uint8Array | null; readonly model: Uint8Array } | undefined
  /** The seal, made here or received, that waits for the own build. */
  readonly sealedRound: SealedRound | undefined
  /** Envelopes of the next round by author. */
  readonly early: ReadonlyMap<string, readonly Uint8Array[]>
  /** What is proven against members, by PeerId in hex, until a cut has convicted them. */
  readonly evidence: ReadonlyMap<string, Evidence>
  /** By id of the request in hex; kept until they are fulfilled or too old. */
  readonly requests: ReadonlyMap<string, SignedRequest>
  /** Rule 17 *Lost log*: last round in which this peer signs nothing; 0 where its log is whole. */
  readonly silentThrough: number
  /**
   * Rule 8 *Attest*: whether the model that this round starts from is not here, since the own build was not the sealed
   * one; until it is rebuilt, this member neither trains nor builds nor attests.
   */
  readonly diverged: boolean
  /** When things happened in this round, milliseconds by the own clock; empty where there is none. */
  readonly moments: ReadonlyMap<string, number>
  /** What the deadlines follow. */
  readonly delays: Delays
  /** Members who contradicted themselves in this round. */
  readonly equivocators: ReadonlySet<number>
  /** The log's records at the last start: rounds that come again after a loss of sealed rounds go on from them. */
  readonly remembered: readonly LogRecord[]
  /** Why this peer stopped, where it did. */
  readonly halted: string | undefined
}

/** The state at the start of a round. */
export function initialState(
  context: RoundContext,
  peer: Uint8Array,
  remembered: readonly LogRecord[] = []
): PeerState {
  return {
    context,
    self: memberIndex(context, peer),
    phase: 'training',
    messages: new Map(),
    certificates: new Map(),
    holdings: new Map(),
    view: -1,
    step: 'propose',
    locked: undefined,
    valid: undefined,
    timers: new Set(),
    expired: new Set(),
    committed: undefined,
    building: false,
    built: undefined,
    sealedRound: undefined,
    early: new Map(),
    remembered,
    evidence: new Map(),
    requests: new Map(),
    silentThrough: remembered.findLast((record) => record.type === 'silent')?.through ?? 0,
    diverged: false,
    moments: new Map(),
    delays: NO_DELAYS,
    equivocators: new Set(),
    halted: undefined
  }
}

/** The state alone, of whatever holds it and more: named one by one, since it is made with every step. */
export function stateOf(draft: PeerState): PeerState {
  return {
    context: draft.context,
    self: draft.self,
    phase: draft.phase,
    messages: draft.messages,
    certificates: draft.certificates,
    holdings: draft.holdings,
    view: draft.view,
    step: draft.step,
    locked: draft.locked,
    valid: draft.valid,
    timers: draft.timers,
    expired: draft.expired,
    committed: draft.committed,
    building: draft.building,
    built: draft.built,
    sealedRound: draft.sealedRound,
    early: draft.early,
    evidence: draft.evidence,
    requests: draft.requests,
    silentThrough: draft.silentThrough,
    diverged: draft.diverged,
    moments: draft.moments,
    delays: draft.delays,
    equivocators: draft.equivocators,
    remembered: draft.remembered,
    halted: draft.halted
  }
}
