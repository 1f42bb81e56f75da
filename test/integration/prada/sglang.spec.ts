import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSeededRandom } from '../../../src/data/order/seeded-random.ts'
import { openRemote, type RemoteError } from '../../../src/prada/remotes/index.ts'
import {
  DEFAULT_PRADA_SETTINGS,
  naiveTokens,
  type PradaComponents,
  type PradaRequest,
  startPradaText
} from '../../../src/prada/session/index.ts'
import { numberedVocabulary, remoteOf } from '../../unit/prada/small-remote.ts'
import { nearTable, randomTable, tableModel } from '../../unit/prada/table-model.ts'

const SIZE = 40
const table = randomTable(4, SIZE, 2)

interface Body {
  readonly input_ids: number[]
  readonly sampling_params: { readonly max_new_tokens: number }
  readonly logprob_start_len: number
  readonly top_logprobs_num: number
  readonly token_ids_logprob?: number[]
  readonly return_text_in_logprobs: boolean
}

interface Answer {
  text: string
  meta_info: Record<string, unknown>
}

type Meddle = (answer: Answer, count: number) => void

/** A small server that answers `/generate` as SGLang documents it. */
async function startSglang(meddle: Meddle): Promise<{ url: string; close(): void }> {
  const random = createSeededRandom(2)
  let count = 0
  const server = createServer(async (request, response) => {
    if (request.url === '/v1/models')
      return response.end(JSON.stringify({ data: [{ id: 'small', owned_by: 'sglang', max_model_len: 500 }] }))
    if (request.url === '/get_model_info') return response.end(JSON.stringify({ model_path: 'org/small' }))
    if (request.url !== '/generate') return response.writeHead(404).end('{}')
    const answer = answerTo(JSON.parse(await textOf(request)) as Body, random.uniform.bind(random))
    meddle(answer, count++)
    return response.end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

function answerTo(body: Body, uniform: () => number): Answer {
  const ids = [...body.input_ids]
  const wanted = body.token_ids_logprob ?? []
  const entry = (row: readonly number[], id: number) => [
    row[id]!,
    id,
    body.return_text_in_logprobs ? `token ${id}` : null
  ]
  const topOf = (row: readonly number[]) =>
    [...row.keys()]
      .sort((a, b) => row[b]! - row[a]!)
      .slice(0, body.top_logprobs_num)
      .map((id) => entry(row, id))
  const from = body.logprob_start_len < 0 ? ids.length - 1 : body.logprob_start_len
  const given = ids.slice(from + 1).map((_, index) => logRow(ids.slice(0, from + 1 + index)))
  const made = Array.from({ length: body.sampling_params.max_new_tokens }, () => {
    const row = logRow(ids)
    let left = uniform()
    let id = 0
    while (id < SIZE - 1) {
      left -= Math.exp(row[id]!)
      if (left < 0) break
      id++
    }
    ids.push(id)
    return { id, row }
  })
  return {
    text: '',
    meta_info: {
      prompt_tokens: body.input_ids.length,
      weight_version: 'default',
      input_top_logprobs: [null, ...given.map(topOf)],
      input_token_ids_logprobs: [null, ...given.map((row) => wanted.map((id) => entry(row, id)))],
      output_token_logprobs: made.map(({ id, row }) => entry(row, id)),
      output_top_logprobs: made.map(({ row }) => topOf(row)),
      output_token_ids_logprobs: made.map(({ row }) => wanted.map((id) => entry(row, id)))
    }
  }
}

function logRow(prefix: readonly number[]): number[] {
  const logits = [...table(prefix)]
  const highest = Math.max(...logits)
  const sum = logits.reduce((total, value) => total + Math.exp(value - highest), 0)
  return logits.map((value) => value - highest - Math.log(sum))
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string
  return text
}

function parts(): Omit<PradaComponents, 'remote'> {
  const base = tableModel(nearTable(table, 5, 0.5), SIZE)
  const adapted = tableModel(nearTable(table, 6, 0.5), SIZE)
  return { proxy: { base, adapted }, vocabularySize: SIZE, now: () => performance.now() }
}

const REQUEST: PradaRequest = { ids: [1, 2], maxTokens: 30, seed: 3, temperature: 1 }

async function truthOf(request: PradaRequest): Promise<number[]> {
  const components = { ...parts(), remote: await remoteOf(tableModel(table, SIZE)) }
  return naiveTokens(components, { alpha: 1, precision: 'float32' }, request)
}

async function made(
  request: PradaRequest,
  drafter: 'adapted' | 'remote',
  meddle: Meddle = () => undefined
): Promise<{ ids: number[]; error?: RemoteError }> {
  const server = await startSglang(meddle)
  const ids: number[] = []
  try {
    const vocabulary = numberedVocabulary(SIZE)
    const { remote, dispose } = await openRemote(server.url, { vocabulary, attempts: 2, pauseMaxMs: 5 })
    const settings = { ...DEFAULT_PRADA_SETTINGS, drafter, draftLength: 4 }
    try {
      for await (const { id } of startPradaText({ ...parts(), remote }, settings, request).tokens)
        ids.push(id)
    } finally {
      dispose()
    }
    return { ids }
  } catch (error) {
    return { ids, error: error as RemoteError }
  } finally {
    server.close()
  }
}

describe('a server that behaves like SGLang', () => {
  for (const drafter of ['adapted', 'remote'] as const)
    for (const draw of [{ temperature: 0 }, { temperature: 1 }, { temperature: 0.7, topP: 0.9 }])
      it(`gives the tokens of naive sampling: ${drafter}, ${JSON.stringify(draw)}`, async () => {
        const request = { ...REQUEST, ...draw }
        const { ids, error } = await made(request, drafter)
        assert.equal(error, undefined)
        assert.deepEqual(ids, await truthOf(request))
      })

  const change =
    (key: string, value: (before: never) => unknown): Meddle =>
    ({ meta_info }, count) => {
      if (count > 4) meta_info[key] = value(meta_info[key] as never)
    }
  const FAILING: Record<string, [string, RegExp, Meddle]> = {
    'other weights': ['changed', /took other weights/, change('weight_version', () => 'v2')],
    'no list': ['garbage', /log-probabilities of/, change('output_top_logprobs', () => null)],
    'too few given tokens': ['garbage', /given tokens, not/, change('input_top_logprobs', () => [])],
    'a lie about k': [
      'garbage',
      /likeliest \d+ tokens/,
      change('output_top_logprobs', (lists: unknown[][]) => lists.map((list) => list.slice(0, 2)))
    ],
    'two values of a token': [
      'garbage',
      /two log-probabilities|add up to|log-probability of/,
      change('output_token_logprobs', (list: [number, number][]) => list.map(([, id]) => [-0.001, id]))
    ]
  }
  for (const [name, [fault, message, meddle]] of Object.entries(FAILING))
    it(`gives one clear error and no wrong token: ${name}`, async () => {
      const { ids, error } = await made(REQUEST, 'adapted', meddle)
      assert.equal(error?.fault, fault, String(error))
      assert.match(error!.message, message)
      assert.deepEqual(ids, (await truthOf(REQUEST)).slice(0, ids.length))
    })

  it('leaves no token certain if it read other tokens', async () => {
    const { error } = await made(
      REQUEST,
      'adapted',
      change('prompt_tokens', (before: number) => before + 1)
    )
    assert.match(String(error), /NotExactError.*it read \d+ tokens, not/)
  })
})
