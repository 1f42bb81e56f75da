import { Network } from '../../sim/network/network.ts'
import type { Scenario } from '../../sim/scenarios/scenario.ts'
import type { Kind } from '../../src/protocol/messages/header.ts'
import type { Message } from '../../src/protocol/messages/message.ts'
import type { CostRow } from './cost-row.ts'

/** One way, every message, milliseconds of virtual time. */
const DELAY_MS = 100
/** Real time between two progress lines of a long run, milliseconds. */
const PROGRESS_EVERY_MS = 5_000

/** The kinds that CometBFT's path has, too; this protocol adds ready and attestation. */
const VOTE_PATH: ReadonlySet<Kind> = new Set(['proposal', 'prevote', 'precommit'])

/** A consortium that is simulated. */
export interface SimulatedConsortium {
  readonly members: number
  /** Number of members that train, and of those that vote; all by default. */
  readonly drawn?: number
  readonly rounds: number
}

/** Costs of a simulated run: of everything, and of the messages that CometBFT's path consists of. */
export interface SimulatedCost {
  readonly whole: CostRow
  readonly votePath: CostRow
}

/**
 * Runs fault-free rounds in which every message takes one delay and nothing else takes any time, and counts.
 *
 * @param onProgress called from time to time with a progress line
 * @throws {Error} when the rounds are not sealed
 */
export function measureSimulated(
  consortium: SimulatedConsortium,
  onProgress: (line: string) => void = () => {}
): SimulatedCost {
  const { members, drawn, rounds } = consortium
  const whole = new Tally(members, rounds)
  const votePath = new Tally(members, rounds)
  let shown = performance.now()
  const showProgress = (round: number) => {
    if (performance.now() - shown < PROGRESS_EVERY_MS) return
    shown = performance.now()
    onProgress(`${members} members: round ${round} of ${rounds}, ${whole.messages} messages sent`)
  }
  const outcome = new Network(scenarioOf(consortium), {
    sent(message, at) {
      const { round } = message.header
      if (round > rounds) return
      showProgress(round)
      whole.add(message)
      if (VOTE_PATH.has(message.kind)) votePath.add(message)
      if (message.kind === 'proposal') votePath.begin(round, at)
      // Building takes no time here: a member that attests has just committed.
      if (message.kind === 'attestation') votePath.end(round, at)
    },
    certified: (round, at) => whole.begin(round, at),
    sealed: (round, _bytes, at) => whole.end(round, at)
  }).run()
  if (outcome.violations.length > 0) throw new Error(outcome.violations[0]!.text)
  return {
    whole: whole.row(drawn === undefined ? 'simulated' : 'committee'),
    votePath: votePath.row('vote-path')
  }
}

/** Counts messages, and the time from the last beginning to the last end of each round. */
class Tally {
  readonly #members: number
  readonly #rounds: number
  readonly #begun = new Map<number, number>()
  readonly #ended = new Map<number, number>()
  #bytes = 0
  messages = 0

  constructor(members: number, rounds: number) {
    this.#members = members
    this.#rounds = rounds
  }

  add({ bytes }: Message): void {
    this.messages++
    this.#bytes += bytes.length
  }

  begin(round: number, at: number): void {
    this.#begun.set(round, at)
  }

  end(round: number, at: number): void {
    this.#ended.set(round, at)
  }

  row(mode: CostRow['mode']): CostRow {
    const members = this.#members
    const rounds = this.#rounds
    let span = 0
    for (let round = 1; round <= rounds; round++) span += this.#ended.get(round)! - this.#begun.get(round)!
    // Members do not receive their own messages.
    const received = (members - 1) / members / rounds
    return {
      members,
      mode,
      messages: Number((this.messages * received).toFixed(1)),
      bytes: Math.round(this.#bytes * received),
      delays: Number((span / rounds / DELAY_MS).toFixed(3)),
      sent: Number((this.messages / members / rounds).toFixed(2)),
      rounds
    }
  }
}

function scenarioOf({ members, drawn, rounds }: SimulatedConsortium): Scenario {
  return {
    seed: 1,
    members,
    rounds,
    signatures: 'ideal',
    minShards: 1,
    timeouts: {
      trainMs: 20_000,
      gatherMs: 10_000,
      graceMs: 5_000,
      proposeMs: 2_000,
      voteMs: 2_000,
      growthMs: 200
    },
    faulty: [],
    weather: [
      {
        healMs: 0,
        delay: [DELAY_MS, DELAY_MS],
        loss: 0,
        duplication: 0,
        losesHeld: false,
        crashes: [],
        untrained: []
      }
    ],
    calmDelay: [DELAY_MS, DELAY_MS],
    clocks: [],
    // Nothing is lost, so sync has nothing to deliver, and it is not measured here.
    syncEveryMs: 3_600_000,
    trainMs: [1_000, 1_000],
    workMs: [0, 0],
    charter:
      drawn === undefined
        ? {}
        : {
            trainers: drawn,
            // Any committee will do, since no member is faulty here.
            committee: { size: drawn, assumedFaulty: 0.05, epsilon: 1, rounds: 1 }
          }
  }
}
