import type { Effect, LogRecord } from '../../src/protocol/round/effects.ts'
import type { PeerState } from '../../src/protocol/round/state.ts'
import type { Environment } from '../../src/protocol/round/step.ts'
import type { RoundContext } from '../../src/protocol/round-context.ts'
import type { Behaviour } from './scenario.ts'

/** What a copy keeps of a sealed round. */
export interface KeptRound {
  readonly bytes: Uint8Array
  readonly context: RoundContext
}

/** A copy of a member's software: its state, what it has on its disk, and how it fares. Twins are two of them. */
export interface Copy {
  readonly name: string
  /** Place among the people of the simulation, for good; its index in a round may differ. */
  readonly person: number
  readonly twin: 0 | 1
  readonly peer: Uint8Array
  readonly isFaulty: boolean
  readonly behaviours: ReadonlySet<Behaviour>
  readonly environment: Environment
  /** Virtual milliseconds that one of its own milliseconds takes. */
  readonly clock: number
  log: LogRecord[]
  readonly sealed: Map<number, KeptRound>
  /** The context of the round that it begins after a restart. */
  context: RoundContext
  /** Undefined while it is down. */
  state: PeerState | undefined
  /** Grows with every crash: what was under way before is lost. */
  life: number
  /** Effects of this round that were carried out. */
  effects: number
}

/** Whether a copy keeps the rules. */
export function isHonest({ isFaulty }: Copy): boolean {
  return !isFaulty
}

/** Records that a log may drop once a round is sealed: those of that round and before. */
export function isAfter(
  round: number,
  record: LogRecord,
  roundOf: (envelope: Uint8Array) => number
): boolean {
  if (record.type === 'silent') return record.through > round
  return (record.type === 'signed' ? roundOf(record.envelope) : record.round) > round
}

export type SealedEffect = Extract<Effect, { type: 'sealed' }>
