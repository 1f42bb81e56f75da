import { deadlinesOf } from '../../src/protocol/rules/deadline.ts'
import type { Copy } from './copy.ts'
import type { RoundStage } from './round-stage.ts'
import type { Scenario } from './scenario.ts'

/** Time that a member takes at most to get the blocks of a round, once somebody serves them, and to build. */
const REPLAY_MS = 3_000

/** How long a round may still take once it healed, and which view the honest members may come to. */
export interface Patience {
  readonly milliseconds: number
  readonly view: number
}

/**
 * What rounds are promised to need once their messages come (`docs/protocol.md`, "Why rounds end"). Everybody has asked
 * everybody after `copies × syncEveryMs`; until then views may pass in vain, each at least as long as its precommit timer.
 * Views count from where timeouts are longer than three delays. Then proposers take turns: at most f faulty ones, an
 * honest one; and as many again, should a faulty one have given a lock meanwhile to somebody whom it left out before.
 */
export function patience(scenario: Scenario, stage: RoundStage, copies: readonly Copy[]): Patience {
  const { timeouts, calmDelay, syncEveryMs, clocks } = scenario
  const { round, faulty } = stage.context
  const { growthMs } = timeouts
  const [fastest, slowest] = [Math.min(1, ...clocks), Math.max(1, ...clocks)]
  const honest = copies.filter(({ isFaulty, awayUntil }) => !isFaulty && awayUntil === 0)
  const behind = Math.max(0, ...honest.map(({ state, context }) => round - (state?.context ?? context).round))
  const views = honest.flatMap(({ state }) => (state?.context.round === round ? state.view : []))
  const reached = Math.max(0, ...views)
  const own = honest.flatMap(({ state }) => (state === undefined ? [] : deadlinesOf(state)))
  const shortest = (of: 'proposeMs' | 'voteMs') => Math.min(timeouts[of], ...own.map((times) => times[of]))
  const longest = (of: 'proposeMs' | 'voteMs') => Math.max(timeouts[of], ...own.map((times) => times[of]))

  const syncMs = copies.length * syncEveryMs * slowest
  const levelMs = (behind + 1) * syncMs + behind * REPLAY_MS
  let view = reached
  for (let passed = 0; passed < levelMs; view++) passed += (shortest('voteMs') + view * growthMs) * fastest
  const shortestTimer = Math.min(shortest('proposeMs'), shortest('voteMs'))
  const grown = Math.ceil(Math.max(0, (3 * calmDelay[1]) / fastest - shortestTimer) / growthMs)
  const last = Math.max(view, grown) + 2 * faulty + 3

  const isDeciding = views.length === honest.length && views.every((one) => one >= 0)
  const before = isDeciding ? 0 : timeouts.trainMs + timeouts.gatherMs + timeouts.graceMs
  let sum = before
  for (let one = reached; one <= last; one++)
    sum += longest('proposeMs') + 2 * longest('voteMs') + 3 * one * growthMs
  return { milliseconds: Math.ceil(levelMs + sum * slowest + syncMs + 2 * REPLAY_MS), view: last }
}
