import { hex } from '../encoding/bytes.ts'
import type { SealedRound } from '../history/sealed-round.ts'
import type { Certificate, Cut, Evidence } from '../messages/bodies.ts'
import type { SignedRequest } from '../messages/membership.ts'
import { memberIndex, type RoundContext } from '../round/context.ts'
import { type Delays, NO_DELAYS } from '../timing/delays.ts'
import { type Moments, NO_MOMENTS } from '../timing/moments.ts'
import type { LogRecord } from './effects.ts'
import { NO_MESSAGES, type Slots } from './slots.ts'

/** The phase of a peer in its round (`docs/spec/state-machine.md`, "Phases"). */
export type Phase = 'training' | 'gathering' | 'deciding' | 'stacking' | 'sealing'

/** State of a manifest's blocks: being fetched; held and valid; held and invalid; not wanted. */
export type Holding = 'fetching' | 'valid' | 'invalid' | 'refused'

/** A peer's whole protocol state in one round, as a value. */
export interface PeerState {
  readonly context: RoundContext
  /** This peer's index among the members, or −1 if it is not a member of the round. */
  readonly self: number
  readonly phase: Phase
  readonly messages: Slots
  /** By author. */
  readonly certificates: ReadonlyMap<number, Certificate>
  /** By manifest id in hex. */
  readonly holdings: ReadonlyMap<string, Holding>
  /** Current view, −1 before `deciding`. */
  readonly view: number
  readonly step: 'propose' | 'prevote' | 'precommit'
  readonly locked: { readonly view: number; readonly id: Uint8Array } | undefined
  readonly valid: { readonly view: number; readonly id: Uint8Array; readonly cut: Cut } | undefined
  /** Timers that were started, and those that expired. */
  readonly timers: ReadonlySet<string>
  readonly expired: ReadonlySet<string>
  readonly committed: { readonly id: Uint8Array; readonly cut: Cut } | undefined
  readonly building: boolean
  readonly built: { readonly stack: Uint8Array | null; readonly model: Uint8Array } | undefined
  /** The sealed round, sealed here or received, until this peer's build is done. */
  readonly sealedRound: SealedRound | undefined
  /** Envelopes of the next round by author. */
  readonly early: ReadonlyMap<string, readonly Uint8Array[]>
  /** Evidence against members, by PeerId in hex, until a cut has convicted them. */
  readonly evidence: ReadonlyMap<string, Evidence>
  /** The operator's membership requests, by id in hex; kept until they take effect or lapse. */
  readonly requests: ReadonlyMap<string, SignedRequest>
  /** Rule 17 *Lost log*: last round in which this peer signs nothing; 0 if its log is intact. */
  readonly silentThrough: number
  /**
   * Rule 17 *Lost log*: whether, in the current silence, this peer heard a message signed with its key that is not in
   * its log.
   */
  readonly isContradicted: boolean
  /**
   * Rule 17 *Lost log*: how often this peer, while signing, heard a message signed with its key that is not in its log.
   */
  readonly contradictions: number
  /**
   * Rule 17 *Lost log*: whether this peer must still learn that no other copy of it is running; it signs nothing until
   * then.
   */
  readonly heldBack: boolean
  /**
   * Rule 8 *Attest*: whether this peer lacks the model that this round starts from, because its own build differed from
   * the sealed one; until it is rebuilt, this member neither trains, builds nor attests.
   */
  readonly diverged: boolean
  /**
   * Rule 16 *Catch-up*: last round of the history that this peer follows by seals alone, without blocks and builds, since
   * the others are far ahead; 0 when there is none.
   */
  readonly historyThrough: number
  readonly moments: Moments
  /** What the deadlines follow (`docs/spec/state-machine.md`, "Deadlines"). */
  readonly delays: Delays
  /** Rule 3 *Ready*: authors that had announced a manifest and had no certificate when this member was ready. */
  readonly missing: readonly number[] | undefined
  /**
   * Consecutive rounds in which authors were missing and not stacked, by PeerId in hex; affects this peer's deadlines
   * alone.
   */
  readonly misses: ReadonlyMap<string, number>
  /**
   * Consecutive rounds in which nothing was heard from an author, by PeerId in hex; affects this peer's deadlines
   * alone.
   */
  readonly absences: ReadonlyMap<string, number>
  /** Members that contradicted themselves in this round. */
  readonly equivocators: ReadonlySet<number>
  /** The log's records at the last start: rounds that are repeated after sealed rounds were lost go on from them. */
  readonly remembered: readonly LogRecord[]
  /** Why this peer halted, if it did. */
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
    messages: NO_MESSAGES,
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
    isContradicted: false,
    contradictions: 0,
    heldBack: false,
    diverged: false,
    historyThrough: 0,
    moments: NO_MOMENTS,
    delays: NO_DELAYS,
    missing: undefined,
    misses: new Map(),
    absences: new Map(),
    equivocators: new Set(),
    halted: undefined
  }
}

/** The state of a draft: fields are copied one by one, since this runs in every step. */
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
    isContradicted: draft.isContradicted,
    contradictions: draft.contradictions,
    heldBack: draft.heldBack,
    diverged: draft.diverged,
    historyThrough: draft.historyThrough,
    moments: draft.moments,
    delays: draft.delays,
    missing: draft.missing,
    misses: draft.misses,
    absences: draft.absences,
    equivocators: draft.equivocators,
    remembered: draft.remembered,
    halted: draft.halted
  }
}

/** Rule 16 *Catch-up*: whether the sealed round is followed by its seal alone, without its blocks and without a build. */
export function followsHistory({ context, sealedRound, historyThrough }: PeerState): boolean {
  return sealedRound !== undefined && context.round <= historyThrough
}

/** Whether every block of a manifest is held, valid or not. */
export function isHeld(state: PeerState, manifest: Uint8Array): boolean {
  const holding = state.holdings.get(hex(manifest))
  return holding === 'valid' || holding === 'invalid'
}
