import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TensorMap } from '../../src/formats/index.ts'
import { loadBaseModel } from '../../src/model/index.ts'
import type { DrawSettings, Vocabulary } from '../../src/prada/core/index.ts'
import { createDecoderModel, readVocabulary } from '../../src/prada/models/index.ts'
import type { Remote } from '../../src/prada/remotes/index.ts'
import {
  DEFAULT_PRADA_SETTINGS,
  type DrafterName,
  naiveTokens,
  type PradaComponents,
  type PradaRequest,
  type PradaSettings,
  pairProxy,
  startPradaText
} from '../../src/prada/session/index.ts'

/** How the tokens of a session compare to those of the naive method. */
export interface Comparison {
  tokens: number
  /** Tokens compared with the naive method; none if the remote serves no whole rows. */
  compared: number
  /** Tokens that differ although they are reported as certain and are not near ties. */
  differences: number
  nearTies: number
  inexact: number
  trips: number
  judged: number
  accepted: number
  readonly batchError: number
}

const DRAWS: readonly DrawSettings[] = [
  { temperature: 0 },
  { temperature: 1 },
  { temperature: 0.7, topP: 0.9 }
]
const SETTINGS: readonly Partial<PradaSettings>[] = [
  { draftLength: 4, topK: 8 },
  { draftLength: 8, topK: 64 },
  { draftLength: 'auto', topK: 8 }
]
const BEGINNINGS = [
  'Once upon a time',
  'The President shall',
  'Dear Sir,',
  'It is a truth',
  'In the',
  'Call me',
  'We'
]

/** A proxy's vocabulary and tokenizer. */
export function proxyOf(folder: string): {
  readonly vocabulary: Vocabulary
  readonly encode: (text: string) => number[]
} {
  const { tokenizer } = loadBaseModel(folder)
  const json = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
  return { vocabulary: readVocabulary(json, tokenizer), encode: (text) => tokenizer.encode(text) }
}

/**
 * Generates texts with the model as the proxy and the remote behind it, and each text with the naive method, too, if
 * the remote serves whole rows. After a near tie or an uncertain token, the text continues with the naive method's
 * token, if it is compared.
 */
export async function compareWithNaive(
  remote: Remote,
  folder: string,
  prompts: number,
  tokens: number
): Promise<Comparison> {
  const { config, weights, tokenizer } = loadBaseModel(folder)
  const proxy = {
    base: createDecoderModel({ config, weights }),
    adapted: createDecoderModel({ config, weights: otherThan(weights) })
  }
  const { vocabulary } = proxyOf(folder)
  const components = pairProxy(proxy, vocabulary, remote)
  const found: Comparison = {
    tokens: 0,
    compared: 0,
    differences: 0,
    nearTies: 0,
    inexact: 0,
    trips: 0,
    judged: 0,
    accepted: 0,
    batchError: remote.capabilities.batchError
  }
  for (let index = 0; index < prompts; index++)
    for (const draw of DRAWS) {
      const beginning = `${BEGINNINGS[index % BEGINNINGS.length]}${' and'.repeat(Math.floor(index / BEGINNINGS.length))}`
      const ids = [
        ...(tokenizer.bosId === undefined ? [] : [tokenizer.bosId]),
        ...tokenizer.encode(beginning)
      ]
      const request = { ids, maxTokens: tokens, seed: index, ...draw }
      const naive = remote.capabilities.rows
        ? await naiveTokens(components, { alpha: 1, precision: 'float16' }, request)
        : undefined
      for (const settings of SETTINGS)
        for (const drafter of draftersOf(remote))
          await compare(components, { ...settings, drafter }, request, naive, found)
    }
  await proxy.base.dispose()
  await proxy.adapted.dispose()
  return found
}

/** Slightly changed weights, as training would leave them, so that there is an offset. */
function otherThan(weights: TensorMap): TensorMap {
  return new Map(
    [...weights].map(([name, { shape, data }]) => [name, { shape, data: data.map((value) => 1.03 * value) }])
  )
}

function draftersOf({ capabilities }: Remote): DrafterName[] {
  return [
    ...(capabilities.judgesDrafts ? (['adapted'] as const) : []),
    ...(capabilities.drafts ? (['remote'] as const) : [])
  ]
}

async function compare(
  components: PradaComponents,
  settings: Partial<PradaSettings>,
  request: PradaRequest,
  naive: readonly number[] | undefined,
  found: Comparison
): Promise<void> {
  const all = { ...DEFAULT_PRADA_SETTINGS, requireExact: false, ...settings }
  const text = startPradaText(components, all, request)
  let place = 0
  let follows = true
  for await (const { id, exact, nearTie } of text.tokens) {
    found.tokens++
    if (follows && naive !== undefined) found.compared++
    if (follows && naive !== undefined && naive[place] !== id) {
      if (exact && nearTie !== true) found.differences++
      // After different tokens the texts diverge.
      follows = false
    }
    place++
  }
  const { nearTies, inexact, trips, judged, accepted } = text.statistics
  found.nearTies += nearTies
  found.inexact += inexact
  found.trips += trips
  found.judged += judged
  found.accepted += accepted
}
