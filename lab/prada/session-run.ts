import {
  DEFAULT_PRADA_SETTINGS,
  type PradaComponents,
  type PradaRequest,
  type PradaSettings,
  type PradaStatistics,
  startPradaText
} from '../../src/prada/index.ts'

/** Tokens of a text, and what they cost. */
export interface SessionRun {
  readonly ids: readonly number[]
  readonly statistics: PradaStatistics
}

/** Makes a text to its end; settings that are left out are the defaults. */
export async function runSession(
  components: PradaComponents,
  settings: Partial<PradaSettings>,
  request: PradaRequest
): Promise<SessionRun> {
  const text = startPradaText(components, { ...DEFAULT_PRADA_SETTINGS, ...settings }, request)
  const ids: number[] = []
  for await (const { id } of text.tokens) ids.push(id)
  return { ids, statistics: { ...text.statistics } }
}
