import { z } from 'zod'
import type { Vocabulary } from '../core/index.ts'
import { createHttpExchange, type HttpExchange } from './http-exchange.ts'
import { createHttpTransport } from './http-transport.ts'
import { connectLogitsServer } from './logits-server.ts'
import { type LogitsTransport, TransportError } from './logits-transport.ts'
import { type Remote, RemoteError } from './remote.ts'
import { DEFAULT_RETRIES, type RetryOptions, withRetries } from './retries.ts'

/** How to reach a remote, whatever it is. */
export interface OpenRemoteOptions extends RetryOptions {
  /** Of the proxy. Servers that do not tell theirs are taken to have the same, and every token they tell is compared. */
  readonly vocabulary: Vocabulary
  readonly apiKey?: string
  /** Reaches a member's logits server by its multiaddr; without it such addresses are refused. */
  readonly dialMember?: (address: string, signal: AbortSignal) => Promise<DisposableTransport>
  readonly signal?: AbortSignal
}

/** A transport that holds connections. */
export type DisposableTransport = LogitsTransport & { dispose(): void }

/** A remote with what has to be let go of in the end. */
export interface OpenedRemote {
  readonly remote: Remote
  dispose(): void
}

const MULTIADDR = /^\/[a-z0-9]+\//

/**
 * Opens what a URL stands for: `http(s)://…` for a Loam logits server (it answers `/v1/logits/model`), or a multiaddr that
 * ends in `/p2p/PEERID` for a member that serves.
 *
 * @throws {RemoteError} saying what to do, when it is none of them, refuses or cannot be reached
 */
export async function openRemote(url: string, options: OpenRemoteOptions): Promise<OpenedRemote> {
  if (MULTIADDR.test(url)) return openMember(url, options)
  const exchange = exchangeWith(url, options)
  try {
    await requireLogitsServer(exchange, options)
  } finally {
    exchange.dispose()
  }
  return connected(createHttpTransport({ url, ...withKey(options) }), options)
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
    const remote = await connectLogitsServer(transport, options, signalOf(options))
    return { remote, dispose: () => transport.dispose() }
  } catch (error) {
    transport.dispose()
    throw error
  }
}

function signalOf({ signal }: OpenRemoteOptions): AbortSignal {
  return signal ?? new AbortController().signal
}

/** @throws {RemoteError} when what answers is something else */
async function requireLogitsServer(exchange: HttpExchange, options: OpenRemoteOptions): Promise<void> {
  const retries = { ...DEFAULT_RETRIES, ...options }
  await withRetries(exchange.address, retries, signalOf(options), async (signal) => {
    try {
      const response = await exchange.send('GET', 'v1/logits/model', undefined, signal)
      await exchange.json(response, z.unknown(), signal)
    } catch (error) {
      throw explained(exchange.address, error)
    }
  })
}

function explained(address: string, error: unknown): unknown {
  if (!(error instanceof TransportError)) return error
  if (error.status === 401 || error.status === 403)
    return new RemoteError('refused', `${address} wants an API key, or another one: ${error.message}`)
  if (error.status === 404)
    return new RemoteError('refused', `${address} is no logits server: it does not answer /v1/logits/model`)
  return error
}
