import type { DrafterName, PradaComponents } from '../../src/prada/index.ts'
import { DRAFTERS, SAMPLINGS } from './combinations.ts'
import { runSession } from './session-run.ts'

/** What crosses the line with the default settings, and what the drafts are worth. */
export interface CommunicationRow {
  readonly drafter: DrafterName
  readonly sampling: string
  /** Both ways, everything included. */
  readonly bytesPerToken: number
  readonly tokensPerTrip: number
  /** Share of the judged drafts that were accepted. */
  readonly acceptance: number
  readonly tokensPerSecond: number
}

/** Makes texts with each drafter and sampling, and the default settings otherwise. */
export async function measureCommunication(
  components: PradaComponents,
  prompts: readonly (readonly number[])[],
  tokens: number,
  alpha: number,
  onRow: (row: CommunicationRow) => void
): Promise<CommunicationRow[]> {
  const rows: CommunicationRow[] = []
  for (const drafter of DRAFTERS)
    for (const { name, temperature, topP } of SAMPLINGS) {
      const sum = { tokens: 0, trips: 0, judged: 0, accepted: 0, bytes: 0 }
      const begun = performance.now()
      for (const [seed, ids] of prompts.entries()) {
        const request = { ids, maxTokens: tokens, seed, temperature, ...(topP !== undefined && { topP }) }
        const { statistics } = await runSession(components, { drafter, alpha }, request)
        sum.tokens += statistics.tokens
        sum.trips += statistics.trips
        sum.judged += statistics.judged
        sum.accepted += statistics.accepted
        sum.bytes += statistics.bytesSent + statistics.bytesReceived
      }
      const row = {
        drafter,
        sampling: name,
        bytesPerToken: sum.bytes / sum.tokens,
        tokensPerTrip: sum.tokens / sum.trips,
        acceptance: sum.judged === 0 ? 0 : sum.accepted / sum.judged,
        tokensPerSecond: (1e3 * sum.tokens) / (performance.now() - begun)
      }
      rows.push(row)
      onRow(row)
    }
  return rows
}
