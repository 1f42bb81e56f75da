import { naiveTokens, type PradaComponents } from '../../src/prada/index.ts'
import { SAMPLINGS, WAYS, type Way } from './combinations.ts'
import { runSession } from './session-run.ts'

/** Tokens compared with naive decoding: one whole row per token, without drafts. */
export interface Exactness {
  readonly tokens: number
  readonly differences: number
  /** Number of texts generated, by naive decoding and by sessions. */
  readonly texts: number
  readonly ways: number
}

export interface ExactnessOptions {
  readonly prompts: readonly (readonly number[])[]
  readonly tokens: number
  /** Number of the 48 configurations tried per text, rotating over the texts so that all are tried. */
  readonly waysPerText: number
  readonly alpha: number
  readonly signal?: AbortSignal
}

/** Compares every token of sessions with naive decoding, for each sampling. */
export async function measureExactness(
  components: PradaComponents,
  { prompts, tokens, waysPerText, alpha, signal }: ExactnessOptions,
  onText: (done: number, of: number) => void
): Promise<Exactness> {
  const seen = new Set<Way>()
  let [compared, differences, texts] = [0, 0, 0]
  const of = prompts.length * SAMPLINGS.length
  for (const [index, ids] of prompts.entries())
    for (const [kind, { temperature, topP }] of SAMPLINGS.entries()) {
      const request = {
        ids,
        maxTokens: tokens,
        seed: index,
        temperature,
        ...(topP !== undefined && { topP }),
        ...(signal && { signal })
      }
      const expected = await naiveTokens(components, { alpha, precision: 'float16' }, request)
      const place = index * SAMPLINGS.length + kind
      for (let turn = 0; turn < waysPerText; turn++) {
        // 13 and 48 are coprime, so the configurations of a text differ in all three settings.
        const way = WAYS[(place * waysPerText + turn * 13 + index) % WAYS.length]!
        seen.add(way)
        const { ids: made } = await runSession(components, { ...way, alpha }, request)
        const length = Math.max(made.length, expected.length)
        compared += length
        for (let at = 0; at < length; at++) if (made[at] !== expected[at]) differences++
      }
      texts++
      onText(texts, of)
    }
  return { tokens: compared, differences, texts, ways: seen.size }
}
