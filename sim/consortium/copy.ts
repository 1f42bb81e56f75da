import type { Environment } from '../../src/protocol/machine.ts'
import type { MembershipChange } from '../../src/protocol/messages/bodies.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import type { Effect, LogRecord } from '../../src/protocol/state/effects.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import type { Behaviour } from '../scenarios/scenario.ts'

/** What a copy keeps of a sealed round. */
export interface KeptRound {
  readonly bytes: Uint8Array
  readonly context: RoundContext
}

/** A copy of a member's software: its state, its disk, and its behaviour. Twins are two copies of one member. */
export interface Copy {
  readonly name: string
  /** Fixed index among the people of the simulation; its index in a round may differ. */
  readonly person: number
  readonly twin: 0 | 1
  readonly peer: Uint8Array
  readonly isFaulty: boolean
  readonly behaviours: ReadonlySet<Behaviour>
  /** With its own clock, set before every step. */
  readonly environment: Omit<Environment, 'now'> & { now: number }
  /** Virtual milliseconds that one of its own milliseconds takes. */
  readonly clock: number
  log: LogRecord[]
  sealed: Map<number, KeptRound>
  /** The context of the round in which it starts again after a restart. */
  context: RoundContext
  /** Digest of the model that it actually holds. */
  model: Uint8Array
  /** Digest of what it built in this round, until that is sealed. */
  built: Uint8Array | undefined
  /** Undefined while the copy is down. */
  state: PeerState | undefined
  /** Incremented by every crash: work from before the crash is lost. */
  life: number
  /** Number of effects of this round that were carried out. */
  effects: number
  /** Index of the next copy to ask by sync. */
  turn: number
  /** Latest attested round of others, by PeerId in hex (rule 17). */
  told: Map<string, number>
  /** The latest membership changes that it saw sealed. */
  changes: readonly MembershipChange[]
  /** Latest round in which it lost its disk. */
  lostIn: number
  /** The round at whose start it comes back; 0 when it is not away. */
  awayUntil: number
  /** How often it has flooded the others. */
  floods: number
  /** Ids of its own messages, in hex, of the current and later rounds. */
  words: Set<string>
  /**
   * Rule 17: the latest round of which it heard a message with its own key that it had not sent; 0 if there was none.
   */
  contradictedIn: number
}

/**
 * Whether a copy reacts to messages with its own key that it has not sent: liars sign outside their software all the
 * time.
 */
export function mindsOwnWords({ isFaulty, behaviours }: Copy): boolean {
  return !isFaulty || behaviours.has('copied')
}

/** Whether a copy follows the protocol. */
export function isHonest({ isFaulty }: Copy): boolean {
  return !isFaulty
}

/** The records that a log keeps once a round is sealed: those of later rounds, and the last silence. */
export function withoutRound(
  log: readonly LogRecord[],
  round: number,
  roundOf: (envelope: Uint8Array) => number
): LogRecord[] {
  const silence = log.findLast((record) => record.type === 'silent')
  return log.filter((record) => {
    if (record.type === 'silent') return record === silence && record.through > round
    return (record.type === 'signed' ? roundOf(record.envelope) : record.round) > round
  })
}

export type SealedEffect = Extract<Effect, { type: 'sealed' }>
