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

/** How to reach a remote of any kind. */
export interface OpenRemoteOptions extends RetryOptions {
  /**
   * Vocabulary of the proxy. Servers that do not report theirs are assumed to share it, and every token they report is
   * checked.
   */
  readonly vocabulary: Vocabulary
  /**
   * Tokenizes a text with the proxy's tokenizer, without BOS. Servers that accept only texts are exact only with it.
   */
  readonly encode?: (text: string) => readonly number[]
  readonly apiKey?: string
  /** Name of the server's model; optional if it has only one. */
  readonly model?: string
  /** Connects to a member's logits server by its multiaddr; without it such addresses are rejected. */
  readonly dialMember?: (address: string, signal: AbortSignal) => Promise<DisposableTransport>
  readonly signal?: AbortSignal
}

/** A transport that holds connections. */
export type DisposableTransport = LogitsTransport & { dispose(): void }

/** A remote that must be closed after use. */
export interface OpenedRemote {
  readonly remote: Remote
  /** Probes the remote again, after its model has changed. */
  reconnect(signal: AbortSignal): Promise<Remote>
  dispose(): void
}

const MULTIADDR = /^\/[a-z0-9]+\//

/**
 * Opens the remote that a URL refers to, by what answers there: `http(s)://…` is a Loam logits server if
 * `/v1/logits/model` answers, otherwise a server of OpenAI's API (`/v1/models`); a multiaddr that ends in `/p2p/PEERID`
 * is a member that serves.
 *
 * @throws {RemoteError} saying what to do, if the server is of another kind, rejects the request or cannot be reached
 */
export async function openRemote(url: string, options: OpenRemoteOptions): Promise<OpenedRemote> {
  if (MULTIADDR.test(url)) return openMember(url, options)
  // The usual base URL of OpenAI's API ends in it.
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
      `${url} is not the address of a remote: use http://HOST:PORT, https://…, or a multiaddr that ends in /p2p/PEERID`,
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
      `${address} is a member's address, which only members can dial: set --home to a member's home`
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

/** The models of a server with OpenAI's API, or `logits` for a logits server. */
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
      `${exchange.address} is not a remote: it answers neither /v1/logits/model (loam serve) nor /v1/models (OpenAI's API)`,
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
      `${address} has no model${wanted === undefined ? '' : ` ${wanted}`}${listed && `: it has ${listed}`}`
    )
  if (wanted === undefined && models.length > 1)
    throw new RemoteError('refused', `${address} has several models: choose one of ${listed}`)
  const context = found.max_model_len ?? found.meta?.n_ctx
  return { id: found.id, ...(context && { context }), ...(found.owned_by && { owner: found.owned_by }) }
}

function explained(address: string, error: unknown): unknown {
  if (!(error instanceof TransportError) || (error.status !== 401 && error.status !== 403)) return error
  return new RemoteError('refused', `${address} rejected the API key or requires one: ${error.message}`, {
    cause: error
  })
}
