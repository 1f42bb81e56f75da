import { deadlinesOf } from '../../src/protocol/rules/measure.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import type { Copy } from '../consortium/copy.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import type { RoundStage } from '../world/round-stage.ts'

/** Maximum time for a member to fetch the blocks of a round, once another serves them, and to build. */
const REPLAY_MS = 3_000
/**
 * How far a member's deadlines may differ from the charter's, as a factor (`docs/spec/state-machine.md`, "Deadlines").
 */
const DEADLINE_RANGE = 8

/** How long a round may still take after healing, and up to which view. */
export interface Patience {
  readonly milliseconds: number
  readonly view: number
}

/**
 * The time within which a round must end once its messages arrive (`docs/spec/safety.md`, "Why rounds end"), given the
 * honest members' phases when it heals: phases that all of them have left are not counted.
 *
 * - Every copy has asked every other after `copies × syncEveryMs`. A copy that is behind does so for every round, and builds it.
 * - If a member is not deciding yet, its timers of training and gathering expire at the latest.
 * - Until all have asked, views may pass without a decision, each at least as long as its precommit timer. Views count once timeouts are longer than three delays. Then proposers take turns: at most f faulty ones, then an honest one; and as many again, if a faulty one has meanwhile given a lock to a member that it had left out.
 */
export function patience(scenario: Scenario, stage: RoundStage, copies: readonly Copy[]): Patience {
  const { timeouts, calmDelay, syncEveryMs, clocks } = scenario
  const { round, faulty } = stage.context
  const { growthMs } = timeouts
  const [fastest, slowest] = [Math.min(1, ...clocks), Math.max(1, ...clocks)]
  const honest = copies.filter(({ isFaulty, awayUntil }) => !isFaulty && awayUntil === 0)
  const states = honest.flatMap(({ state }) => (state === undefined ? [] : [state]))
  const { shortest, longest } = deadlineRange(timeouts, states)
  const behind = Math.max(0, ...honest.map(({ state, context }) => round - (state?.context ?? context).round))
  const here = states.filter(({ context }) => context.round === round)
  const reached = Math.max(0, ...here.map(({ view }) => view))

  const syncMs = copies.length * syncEveryMs * slowest
  const replayMs = REPLAY_MS + Math.max(0, ...(scenario.slow ?? []).map(({ buildMs }) => buildMs))
  const levelMs = (behind + 1) * syncMs + behind * replayMs
  let view = reached
  for (let passed = 0; passed < levelMs; view++) passed += (timeouts.voteMs + view * growthMs) * fastest
  const shortestTimer = Math.min(shortest('proposeMs'), shortest('voteMs'))
  const grown = Math.ceil(Math.max(0, (3 * calmDelay[1]) / fastest - shortestTimer) / growthMs)
  const last = Math.max(view, grown) + 2 * faulty + 3

  const endMs = levelMs + syncMs + 2 * replayMs
  const isTraining = here.length < honest.length || here.some(({ phase }) => phase === 'training')
  const isGathering = isTraining || here.some(({ view: one }) => one < 0)
  let sum = (isTraining ? timeouts.trainMs : 0) + (isGathering ? longest('gatherMs') : 0)
  for (let one = reached; one <= last; one++)
    sum += longest('proposeMs') + longest('voteMs') + timeouts.voteMs + 3 * one * growthMs
  return { milliseconds: Math.ceil(endMs + sum * slowest), view: last }
}

/** The shortest and the longest deadline among members, within the range allowed for deadlines. */
function deadlineRange(timeouts: Scenario['timeouts'], states: readonly PeerState[]) {
  const own = states.map(deadlinesOf)
  type Name = 'gatherMs' | 'proposeMs' | 'voteMs'
  return {
    shortest: (of: Name) =>
      Math.max(timeouts[of] / DEADLINE_RANGE, Math.min(timeouts[of], ...own.map((times) => times[of]))),
    longest: (of: Name) =>
      Math.min(timeouts[of] * DEADLINE_RANGE, Math.max(timeouts[of], ...own.map((times) => times[of])))
  }
}
