import type { RevealChain } from '../../src/protocol/charter/reveal-chain.ts'
import type { Signer } from '../../src/protocol/encoding/signature.ts'
import type { Step } from '../../src/protocol/machine.ts'
import type { Message } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import type { PeerEvent } from '../../src/protocol/state/events.ts'
import type { Copy } from '../consortium/copy.ts'
import type { Watch } from '../invariants/watch.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import type { EventQueue } from '../support/event-queue.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { EnvelopeCheck } from './envelope-check.ts'
import type { Neighbours } from './neighbours.ts'
import type { RoundStage } from './round-stage.ts'

/** Observes a run without affecting it. */
export interface Observer {
  /** A message that a member broadcasts, at a virtual time in milliseconds. */
  sent?(message: Message, at: number): void
  /** A certificate that an honest member holds for the first time. */
  certified?(round: number, at: number): void
  sealed?(round: number, bytes: Uint8Array, at: number): void
}

/** State shared by all parts of a simulated network. */
export interface World {
  readonly scenario: Scenario
  readonly observer: Observer
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly watch: Watch
  readonly envelopeCheck: EnvelopeCheck
  readonly copies: Copy[]
  readonly honest: readonly Copy[]
  /** By person. */
  readonly chains: readonly RevealChain[]
  /** A key that never belongs to a member. */
  readonly outsider: Signer
  readonly genesis: RoundContext
  /** By round: recent rounds that an honest member has begun. */
  readonly stages: Map<number, RoundStage>
  /** Copies that sealed a round. */
  readonly finished: Map<number, Set<Copy>>
  readonly neighbours: Neighbours
  /** Applies an event to a copy now. */
  event(copy: Copy, event: PeerEvent): void
  /** Applies an event to a copy after a delay, unless it has crashed since. */
  happen(copy: Copy, milliseconds: number, event: PeerEvent): void
  /** Adopts the state of a step and carries out its effects. */
  carryOut(copy: Copy, step: Step): void
}

/** The stage of the round that a copy is in. */
export function stageOf({ stages }: World, { state }: Copy): RoundStage | undefined {
  return state === undefined ? undefined : stages.get(state.context.round)
}
