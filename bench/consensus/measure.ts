import { Network } from '../../test/sim/network.ts'
import type { Scenario } from '../../test/sim/scenario.ts'

/** One way, every message, milliseconds of virtual time. */
const DELAY_MS = 100

/** What a round costs one member. */
export interface CostRow {
  readonly members: number
  readonly mode: 'all' | 'committee'
  /** Control messages that a member receives, and that it sends, in a round. */
  readonly messages: number
  readonly sent: number
  /** Bytes of the received ones. */
  readonly bytes: number
  /** From the last certificate to the last seal, in one-way delays. */
  readonly delays: number
}

/** Members that train and vote where not all do. */
export const COMMITTEE = 20

/**
 * Runs fault-free rounds in which every message takes one delay and nothing else takes any time, and counts.
 *
 * @throws {Error} when the rounds are not sealed
 */
export function measure(members: number, mode: CostRow['mode'], rounds: number): CostRow {
  let messages = 0
  let bytes = 0
  const certified = new Map<number, number>()
  const sealed = new Map<number, number>()
  const outcome = new Network(scenarioOf(members, mode, rounds), undefined, {
    sent(message) {
      if (message.header.round > rounds) return
      messages++
      bytes += message.bytes.length
    },
    certified: (round, at) => void certified.set(round, at),
    sealed: (round, _bytes, at) => void sealed.set(round, at)
  }).run()
  if (outcome.violations.length > 0) throw new Error(outcome.violations[0]!.text)
  const spans = [...certified]
    .filter(([round]) => round <= rounds)
    .map(([round, at]) => sealed.get(round)! - at)
  const total = spans.reduce((sum, span) => sum + span, 0)
  const received = (members - 1) / members
  return {
    members,
    mode,
    messages: Math.round((messages * received) / rounds),
    sent: Number((messages / members / rounds).toFixed(2)),
    bytes: Math.round((bytes * received) / rounds),
    delays: total / spans.length / DELAY_MS
  }
}

function scenarioOf(members: number, mode: CostRow['mode'], rounds: number): Scenario {
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
    // Nothing is lost: sync has nothing to give, and is not what is measured.
    syncEveryMs: 3_600_000,
    trainMs: [1_000, 1_000],
    workMs: [0, 0],
    charter:
      mode === 'all'
        ? {}
        : {
            trainers: COMMITTEE,
            committee: { size: COMMITTEE, assumedFaulty: 0.05, epsilon: 0.01, rounds: 100 }
          }
  }
}
