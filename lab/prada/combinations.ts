import type { DrafterName, PradaRequest, PradaSettings } from '../../src/prada/index.ts'

/** How tokens are sampled from the combined distribution. */
export interface Sampling extends Pick<PradaRequest, 'temperature' | 'topP'> {
  readonly name: string
}

export const SAMPLINGS: readonly Sampling[] = [
  { name: 'greedy', temperature: 0 },
  { name: 'T = 1', temperature: 1 },
  { name: 'T = 0.7, top-p 0.9', temperature: 0.7, topP: 0.9 }
]

export const DRAFTERS: readonly DrafterName[] = ['adapted', 'base', 'remote']

/** A configuration that must not change any token. */
export type Way = Pick<PradaSettings, 'drafter' | 'draftLength' | 'topK'>

const DRAFT_LENGTHS = [1, 4, 8, 'auto'] as const
const TOP_KS = [8, 64, 'auto', 'rows'] as const

/** Every drafter with every draft length and top k. */
export const WAYS: readonly Way[] = DRAFTERS.flatMap((drafter) =>
  DRAFT_LENGTHS.flatMap((draftLength) => TOP_KS.map((topK) => ({ drafter, draftLength, topK })))
)
