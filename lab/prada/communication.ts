import type { PradaComponents, PradaSettings } from '../../src/prada/index.ts'
import { DRAFTERS, SAMPLINGS } from './combinations.ts'
import { runSession } from './session-run.ts'

/** Traffic with the default settings, and the acceptance of drafts. */
export interface CommunicationRow {
  /** The drafter and other settings. */
  readonly drafter: string
  readonly sampling: string
  /** Bytes in both directions, including all overhead. */
  readonly bytesPerToken: number
  /** Bytes of requests and answers, without HTTP headers. */
  readonly contentPerToken: number
  readonly tokensPerTrip: number
  /** Share of the judged drafts that were accepted. */
  readonly acceptance: number
  readonly tokensPerSecond: number
}

interface Setting {
  readonly name: string
  readonly settings: Partial<PradaSettings>
}

function drafts(drafter: PradaSettings['drafter']): Setting {
  return { name: drafter, settings: { drafter } }
}

/** Settings that reveal less to the remote. */
const PRIVATE: readonly Setting[] = [
  { name: 'adapted, --wanted 0', settings: { drafter: 'adapted', wantedMax: 0 } },
  { name: 'remote, --wanted 0', settings: { drafter: 'remote', wantedMax: 0 } },
  { name: 'base, --no-share-noise', settings: { drafter: 'base', shareNoise: false } }
]

/** Generates texts with each drafter and sampling, and default settings otherwise. */
export async function measureCommunication(
  components: PradaComponents,
  prompts: readonly (readonly number[])[],
  tokens: number,
  alpha: number,
  onRow: (row: CommunicationRow) => void
): Promise<CommunicationRow[]> {
  const rows: CommunicationRow[] = []
  for (const { name: drafter, settings } of [...DRAFTERS.map(drafts), ...PRIVATE])
    for (const { name, temperature, topP } of SAMPLINGS) {
      // The settings that keep ids and noise private are compared at temperature 1.
      if (!(DRAFTERS as readonly string[]).includes(drafter) && temperature !== 1) continue
      const sum = { tokens: 0, trips: 0, judged: 0, accepted: 0, bytes: 0, content: 0 }
      const begun = performance.now()
      for (const [seed, ids] of prompts.entries()) {
        const request = { ids, maxTokens: tokens, seed, temperature, ...(topP !== undefined && { topP }) }
        const { statistics } = await runSession(components, { ...settings, alpha }, request)
        sum.tokens += statistics.tokens
        sum.trips += statistics.trips
        sum.judged += statistics.judged
        sum.accepted += statistics.accepted
        sum.bytes += statistics.bytesSent + statistics.bytesReceived
        sum.content += statistics.contentBytes
      }
      const row = {
        drafter,
        sampling: name,
        bytesPerToken: sum.bytes / sum.tokens,
        contentPerToken: sum.content / sum.tokens,
        tokensPerTrip: sum.tokens / sum.trips,
        acceptance: sum.judged === 0 ? 0 : sum.accepted / sum.judged,
        tokensPerSecond: (1e3 * sum.tokens) / (performance.now() - begun)
      }
      rows.push(row)
      onRow(row)
    }
  return rows
}
