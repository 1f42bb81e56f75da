import { z } from 'zod'
import type { Vocabulary } from '../core/index.ts'
import { connectCompletions, type ListedModel } from './completions/connect-completions.ts'
import { createHttpExchange, type HttpExchange } from './http-exchange.ts'
import { createHttpTransport } from './http-transport.ts'
import { connectLogitsServer } from './logits-server.ts'
import { type LogitsTransport, TransportError } from './logits-transport.ts'
import { type Remote, RemoteError } from './remote.ts'
import { DEFAULT_RETRIES, type Retries, type RetryOptions, withRetries } from './retries.ts'
import { connectSglang } from './sglang/connect-sglang.ts'

/** How to reach a remote, whatever it is. */
export interface OpenRemoteOptions extends RetryOptions {
  /** Of the proxy. Servers that do not tell theirs are taken to have the same, and every token they tell is compared. */
  readonly vocabulary: Vocabulary
  /** Cuts a text into the proxy's ids, without BOS: servers that take texts alone are exact only with it. */
  readonly encode?: (text: string) => readonly number[]
  readonly apiKey?: string
  /** Which of a server's models; the only one unless given. */
  readonly model?: string
  /** Reaches a member's logits server by its multiaddr; without it such addresses are refused. */
  readonly dialMember?: (address: string, signal: AbortSignal) => Promise<DisposableTransport>
  readonly signal?: AbortSignal
}

/** A transport that holds connections. */
export type DisposableTransport = LogitsTransport & { dispose(): void }

/** A remote with what has to be let go of in the end. */
export interface OpenedRemote {
  readonly remote: Remote
  /** Asks anew what the remote is: after it became another model. */
  reconnect(signal: AbortSignal): Promise<Remote>
  dispose(): void
}

const MULTIADDR = /^\/[a-z0-9]+\//

/**
 * Opens what a URL stands for, by what answers there: `http(s)://…` is a Loam logits server where `/v1/logits/model` answers,
 * else a server of OpenAI's API (`/v1/models`); a multiaddr that ends in `/p2p/PEERID` is a member that serves.
 *
 * @throws {RemoteError} saying what to do, when the server is of another kind, refuses or cannot be reached
 */
export async function openRemote(url: string, options: OpenRemoteOptions): Promise<OpenedRemote> {
  if (MULTIADDR.test(url)) return openMember(url, options)
  // Clients of OpenAI's API are given the address with it.
  const base = url.replace(/\/v1\/?$/, '')
  const exchange = exchangeWith(base, options)
  const retries = { ...DEFAULT_RETRIES, ...definedOf(options) }
  const signal = signalOf(options)
  try {
    const models = await findModels(exchange, retries, signal)
    if (models !== 'logits') {
      const model = chooseModel(exchange.address, models, options.model)
      const connect = model.owner === 'sglang' ? connectSglang : connectCompletions
      const reconnect = (each: AbortSignal): Promise<Remote> =>
        connect(exchange, model, options, retries, each)
      return { remote: await reconnect(signal), reconnect, dispose: () => exchange.dispose() }
    }
  } catch (error) {
    exchange.dispose()
    throw error
  }
  exchange.dispose()
  return connected(createHttpTransport({ url: base, ...withKey(options) }), options)
}

function definedOf({ timeoutMs, attempts, pauseMaxMs }: OpenRemoteOptions): RetryOptions {
  return {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(attempts !== undefined && { attempts }),
    ...(pauseMaxMs !== undefined && { pauseMaxMs })
  }
}

function exchangeWith(url: string, options: OpenRemoteOptions): HttpExchange {
  try {
    return createHttpExchange({ url, ...withKey(options) })
  } catch (cause) {
    throw new RemoteError(
      'refused',
      `${url} is not the address of a remote: give http://HOST:PORT, https://…, or a multiaddr that ends in /p2p/PEERID`,
      { cause }
    )
  }
}

function withKey({ apiKey }: OpenRemoteOptions): { readonly apiKey?: string } {
  return apiKey === undefined ? {} : { apiKey }
}

async function openMember(address: string, options: OpenRemoteOptions): Promise<OpenedRemote> {
  if (options.dialMember === undefined)
    throw new RemoteError(
      'refused',
      `${address} is a member's address, which only a member can dial: give --home with the home of one`
    )
  return connected(await options.dialMember(address, signalOf(options)), options)
}

async function connected(transport: DisposableTransport, options: OpenRemoteOptions): Promise<OpenedRemote> {
  try {
    const reconnect = (signal: AbortSignal): Promise<Remote> =>
      connectLogitsServer(transport, definedOf(options), signal)
    return { remote: await reconnect(signalOf(options)), reconnect, dispose: () => transport.dispose() }
  } catch (error) {
    transport.dispose()
    throw error
  }
}

function signalOf({ signal }: OpenRemoteOptions): AbortSignal {
  return signal ?? new AbortController().signal
}

const modelsSchema = z.object({
  data: z
    .array(
      z.object({
        id: z.string().max(500),
        owned_by: z.string().nullish(),
        max_model_len: z.int().positive().nullish(),
        meta: z.looseObject({ n_ctx: z.int().positive().nullish() }).nullish()
      })
    )
    .max(10_000)
})

type Models = z.infer<typeof modelsSchema>['data']

/** The models of a server of OpenAI's API, or `logits` for a logits server. */
async function findModels(
  exchange: HttpExchange,
  retries: Retries,
  signal: AbortSignal
): Promise<Models | 'logits'> {
  const ask = <Value>(path: string, schema: z.ZodType<Value>): Promise<Value> =>
    withRetries(exchange.address, retries, signal, async (each) => {
      try {
        const response = await exchange.send('GET', path, undefined, each)
        return await exchange.json(response, schema, each)
      } catch (error) {
        throw explained(exchange.address, error)
      }
    })
  try {
    await ask('v1/logits/model', z.unknown())
    return 'logits'
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  try {
    return (await ask('v1/models', modelsSchema)).data
  } catch (error) {
    if (!isMissing(error) && (error as RemoteError).fault !== 'garbage') throw error
    throw new RemoteError(
      'refused',
      `${exchange.address} is no remote: it answers neither /v1/logits/model (loam serve) nor /v1/models (OpenAI's API)`,
      { cause: error }
    )
  }
}

function isMissing(error: unknown): boolean {
  const { cause } = error as RemoteError
  return cause instanceof TransportError && [404, 405, 501].includes(cause.status ?? 0)
}

function chooseModel(address: string, models: Models, wanted: string | undefined): ListedModel {
  const listed = models.map(({ id }) => id).join(', ')
  const found = wanted === undefined ? models[0] : models.find(({ id }) => id === wanted)
  if (found === undefined)
    throw new RemoteError(
      'refused',
      `${address} has no model ${wanted ?? 'at all'}${listed && `: it has ${listed}`}`
    )
  if (wanted === undefined && models.length > 1)
    throw new RemoteError('refused', `${address} has several models, choose one of ${listed}`)
  const context = found.max_model_len ?? found.meta?.n_ctx
  return { id: found.id, ...(context && { context }), ...(found.owned_by && { owner: found.owned_by }) }
}

function explained(address: string, error: unknown): unknown {
  if (!(error instanceof TransportError) || (error.status !== 401 && error.status !== 403)) return error
  return new RemoteError('refused', `${address} wants an API key, or another one: ${error.message}`, {
    cause: error
  })
}
