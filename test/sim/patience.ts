import type { RoundContext } from '../../src/protocol/round-context.ts'
import { deadlinesOf } from '../../src/protocol/rules/deadline.ts'
import type { Copy } from './copy.ts'
import type { Scenario } from './scenario.ts'

/** Time for what is no waiting of the protocol's: fetches, builds, and a member that catches up on its round. */
const SLACK_MS = 30_000
/** Exchanges of sync until a member that asks others at random has met the one that it needs. */
const SYNC_EXCHANGES = 12

/**
 * How long after a round healed every honest member must have sealed it, milliseconds: training, gathering, and a bounded
 * number of views from the highest that an honest member was in. The views are: those of f faulty proposers, twice, and
 * as many as timeouts need to grow beyond delays and sync.
 */
export function patience(
  { timeouts, calmDelay, syncEveryMs, clocks }: Scenario,
  context: RoundContext,
  honest: readonly Copy[]
): number {
  const { round, faulty } = context
  const slowest = Math.max(1, ...clocks)
  const present = honest.filter(({ state }) => state?.context.round === round)
  const reached = Math.max(0, ...present.map(({ state }) => state!.view))
  const need = 3 * calmDelay[1] + SYNC_EXCHANGES * syncEveryMs
  // Each member's own times, which follow what it saw, are where its views begin to grow.
  const own = honest.flatMap(({ state }) => (state === undefined ? [] : deadlinesOf(state)))
  const shortest = Math.min(timeouts.voteMs, ...own.map(({ voteMs }) => voteMs))
  const longest = (of: 'proposeMs' | 'voteMs') => Math.max(timeouts[of], ...own.map((times) => times[of]))
  const grown = Math.max(reached, Math.ceil(Math.max(0, need - shortest) / timeouts.growthMs))
  const last = grown + 2 * faulty + 3
  let sum = timeouts.trainMs + timeouts.gatherMs + timeouts.graceMs + SLACK_MS
  for (let view = reached; view <= last; view++)
    sum += longest('proposeMs') + 2 * longest('voteMs') + 3 * view * timeouts.growthMs
  return Math.ceil(sum * slowest)
}
