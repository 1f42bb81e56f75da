import {
  DEFAULT_PRADA_SETTINGS,
  type PradaComponents,
  type PradaRequest,
  type PradaSettings,
  type PradaStatistics,
  startPradaText
} from '../../src/prada/index.ts'

/** Tokens of a text and their cost. */
export interface SessionRun {
  readonly ids: readonly number[]
  readonly statistics: PradaStatistics
}

/** Generates a whole text; omitted settings have their defaults. */
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
