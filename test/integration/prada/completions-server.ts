import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSeededRandom } from '../../../src/data/order/seeded-random.ts'
import { numberedVocabulary } from '../../unit/prada/small-remote.ts'

/** A small server that implements `/v1/completions` like one of the known ones. */
export interface CompletionsScript {
  /** llama-server's list of names, OpenAI's maps of texts, or vLLM's maps of ids. */
  readonly format: 'list' | 'maps' | 'id maps'
  /** Whether prompts may be ids, and several at once. */
  readonly ids: boolean
  readonly topKMax: number
  /** If it has a limit, whether it refuses more or returns fewer. */
  readonly refusesMore?: boolean
  readonly apiKey?: string
  /** Answers of `/v1/completions` to change; undefined leaves one as it is. */
  readonly meddle?: (answer: CompletionAnswer, response: ServerResponse, count: number) => boolean
}

export interface CompletionAnswer {
  model: string
  system_fingerprint: string
  choices: { index: number; text: string; finish_reason: string; logprobs: unknown }[]
  usage: { prompt_tokens: number; completion_tokens: number }
}

export interface CompletionsServer {
  readonly url: string
  readonly answers: number
  close(): Promise<void>
}

interface Body {
  readonly prompt: string | number[] | number[][]
  readonly max_tokens: number
  readonly logprobs: number
  readonly temperature: number
  readonly return_tokens_as_token_ids?: boolean
}

type Table = (prefix: readonly number[]) => Float32Array

/** Cuts `token 5token 7` into ids. */
export function encodeNumbered(text: string): number[] {
  return [...text.matchAll(/token (\d+)/g)].map(([, id]) => Number(id))
}

export async function startCompletionsServer(
  table: Table,
  size: number,
  script: CompletionsScript
): Promise<CompletionsServer> {
  const random = createSeededRandom(5)
  let answers = 0
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: Error) =>
      response
        .writeHead(400)
        .end(JSON.stringify({ error: { message: error.message, type: 'invalid_request_error' } }))
    )
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (script.apiKey !== undefined && request.headers.authorization !== `Bearer ${script.apiKey}`) {
      response.writeHead(401).end('{"error":{"message":"no such key"}}')
      return
    }
    if (request.url === '/v1/models') {
      response.end(
        JSON.stringify({ object: 'list', data: [{ id: 'small', object: 'model', max_model_len: 500 }] })
      )
      return
    }
    if (request.url !== '/v1/completions') {
      response.writeHead(404).end('{"detail":"Not Found"}')
      return
    }
    const made = complete(JSON.parse(await textOf(request)) as Body)
    if (script.meddle?.(made, response, answers++) === true) return
    response.end(JSON.stringify(made))
  }

  const complete = (body: Body): CompletionAnswer => {
    const { prompt, logprobs: wanted } = body
    if (wanted > script.topKMax && script.refusesMore === true)
      throw new Error(`at most ${script.topKMax} log-probabilities`)
    if (typeof prompt !== 'string' && !script.ids) throw new Error('prompt: a text is wanted')
    const several = Array.isArray(prompt) && Array.isArray(prompt[0])
    const prompts = several
      ? (prompt as number[][])
      : [typeof prompt === 'string' ? encodeNumbered(prompt) : (prompt as number[])]
    return {
      model: 'small',
      system_fingerprint: 'one',
      choices: prompts.map((ids, index) => ({
        index,
        text: '',
        finish_reason: 'length',
        logprobs: logprobsOf(
          Array.from({ length: body.max_tokens }, () => next(ids, body)),
          script.format
        )
      })),
      usage: {
        prompt_tokens: prompts[0]!.length - body.max_tokens,
        completion_tokens: body.max_tokens
      }
    }
  }

  const next = (ids: number[], { temperature, logprobs }: Body): Position => {
    const logits = table(ids).subarray(0, size)
    const highest = logits.reduce((most, value) => Math.max(most, value))
    const sum = logits.reduce((total, value) => total + Math.exp(value - highest), 0)
    const all = [...logits]
      .map((value, id) => ({ id, logprob: value - highest - Math.log(sum) }))
      .sort((a, b) => b.logprob - a.logprob || a.id - b.id)
    let left = random.uniform()
    const drawn =
      all.find(({ logprob }) => {
        left -= Math.exp(logprob)
        return left < 0
      }) ?? all[0]!
    const taken = temperature === 0 ? all[0]! : drawn
    ids.push(taken.id)
    return { taken, top: all.slice(0, Math.min(logprobs, script.topKMax)) }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get answers() {
      return answers
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

interface Named {
  readonly id: number
  readonly logprob: number
}

interface Position {
  readonly taken: Named
  readonly top: readonly Named[]
}

function logprobsOf(positions: readonly Position[], format: CompletionsScript['format']): unknown {
  const tokens = numberedVocabulary(1_000).tokens
  if (format === 'list') {
    const named = ({ id, logprob }: Named) => ({ id, token: `token ${id}`, bytes: [...tokens[id]!], logprob })
    return { content: positions.map(({ taken, top }) => ({ ...named(taken), top_logprobs: top.map(named) })) }
  }
  const name = ({ id }: Named): string => (format === 'maps' ? `token ${id}` : `token_id:${id}`)
  return {
    tokens: positions.map(({ taken }) => name(taken)),
    token_logprobs: positions.map(({ taken }) => taken.logprob),
    top_logprobs: positions.map(({ taken, top }) =>
      Object.fromEntries([...top, taken].map((entry) => [name(entry), entry.logprob]))
    )
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string
  return text
}
