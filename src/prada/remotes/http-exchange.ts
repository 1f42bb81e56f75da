import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { z } from 'zod'
import { TransportError, type TransportFault } from './logits-transport.ts'
import type { Traffic } from './remote.ts'

/** Where a logits server listens. */
export interface HttpTransportOptions {
  /** `http://host:port` or `https://…`, with a path before `/v1` where there is one. */
  readonly url: string
  readonly apiKey?: string
}

/** Longest answer in JSON, bytes: a vocabulary. */
const JSON_BYTES_MAX = 64 * 2 ** 20
/** Longest error that is read, bytes. */
const ERROR_BYTES_MAX = 16_384

/** As Loam's servers say what is wrong, as OpenAI's do, and as FastAPI does. */
const errorSchema = z.union([
  z.object({ error: z.string(), fault: z.string().optional() }),
  z
    .object({ error: z.object({ message: z.string() }) })
    .transform(({ error }) => ({ error: error.message, fault: undefined })),
  z.object({ message: z.string() }).transform(({ message }) => ({ error: message, fault: undefined })),
  z
    .object({ detail: z.unknown() })
    .transform(({ detail }) => ({ error: JSON.stringify(detail), fault: undefined }))
])

/** A request's body. */
export interface HttpBody {
  readonly type: string
  readonly bytes: Uint8Array
}

/** Requests over connections that are kept, and what they carry. */
export interface HttpExchange {
  readonly address: string
  /**
   * The answer's beginning. An answer that nobody reads to its end may break without notice.
   *
   * @throws {TransportError} when the server cannot be reached, or refuses
   */
  send(
    method: string,
    path: string,
    body: HttpBody | undefined,
    signal: AbortSignal
  ): Promise<IncomingMessage>
  /** @throws {TransportError} `garbage`, when the answer is not of the schema's form */
  json<Value>(response: IncomingMessage, schema: z.ZodType<Value>, signal: AbortSignal): Promise<Value>
  /** Reads and drops an answer. */
  drop(response: IncomingMessage, signal: AbortSignal): Promise<void>
  readonly traffic: Traffic
  /** Counts what a connection of another kind carries too. */
  watch(socket: Socket): void
  dispose(): void
}

/** @throws {Error} when the address is neither http nor https */
export function createHttpExchange({ url, apiKey }: HttpTransportOptions): HttpExchange {
  const base = new URL(url.endsWith('/') ? url : `${url}/`)
  if (!['http:', 'https:'].includes(base.protocol)) throw new Error(`${url} is not an http or https address`)
  const secure = base.protocol === 'https:'
  const agent = new (secure ? TlsAgent : Agent)({ keepAlive: true, maxSockets: 4 })
  const meter = createMeter()

  const send = async (
    method: string,
    path: string,
    body: { readonly type: string; readonly bytes: Uint8Array } | undefined,
    signal: AbortSignal
  ): Promise<IncomingMessage> => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asking = (secure ? tlsRequest : httpRequest)(new URL(path, base), {
        method,
        agent,
        signal,
        headers: {
          ...(body && { 'content-type': body.type, 'content-length': body.bytes.length }),
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` })
        }
      })
      // HTTP/1.1 keeps connections anyway.
      asking.removeHeader('connection')
      asking.on('socket', meter.watch)
      asking.on('response', (response) => {
        // Whoever reads it hears of an error; an answer that nobody reads any more may break.
        response.on('error', () => undefined)
        resolve(response)
      })
      asking.on('error', reject).end(body?.bytes)
    }).catch((error: unknown) => {
      throw asTransportError(error, signal)
    })
    const code = response.statusCode ?? 0
    if (code >= 200 && code < 300) return response
    throw await refusalOf(response, signal)
  }
  const json = async <Value>(
    response: IncomingMessage,
    schema: z.ZodType<Value>,
    signal: AbortSignal
  ): Promise<Value> => {
    const bytes = await readAll(response, JSON_BYTES_MAX, signal)
    const parsed = schema.safeParse(parseJson(bytes))
    if (parsed.success) return parsed.data
    throw new TransportError(
      'garbage',
      `an answer of another form: ${z.prettifyError(parsed.error).slice(0, 500)}`
    )
  }

  return {
    address: base.href,
    send,
    json,
    drop: async (response, signal) => void (await readAll(response, ERROR_BYTES_MAX, signal)),
    get traffic() {
      return meter.traffic()
    },
    watch: meter.watch,
    dispose: () => agent.destroy()
  }
}

/** Counts what sockets have carried, those that are closed included. */
function createMeter(): {
  watch(socket: Socket): void
  traffic(): { sent: number; received: number }
} {
  const open = new Set<Socket>()
  let [sent, received] = [0, 0]
  return {
    watch(socket) {
      if (open.has(socket)) return
      open.add(socket)
      socket.once('close', () => {
        open.delete(socket)
        sent += socket.bytesWritten
        received += socket.bytesRead
      })
    },
    traffic() {
      const sockets = [...open]
      return {
        sent: sockets.reduce((sum, socket) => sum + socket.bytesWritten, sent),
        received: sockets.reduce((sum, socket) => sum + socket.bytesRead, received)
      }
    }
  }
}

async function readAll(response: IncomingMessage, most: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      if (bytes > most) throw new TransportError('garbage', `an answer of more than ${most} bytes`)
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    throw asTransportError(error, signal)
  }
  return Buffer.concat(chunks)
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

async function refusalOf(response: IncomingMessage, signal: AbortSignal): Promise<TransportError> {
  const code = response.statusCode ?? 0
  const parsed = errorSchema.safeParse(parseJson(await readAll(response, ERROR_BYTES_MAX, signal)))
  const told = parsed.success ? parsed.data : { error: 'no reason given', fault: undefined }
  const retryAfterMs = retryAfter(response)
  return new TransportError(faultOf(code, told.fault), `${code}, ${told.error.slice(0, 500)}`, {
    status: code,
    ...(retryAfterMs !== undefined && { retryAfterMs })
  })
}

function faultOf(code: number, fault: string | undefined): TransportFault {
  if (fault === 'unknown-session') return 'unknown-session'
  if (code === 429 || code === 503) return 'busy'
  return 'refused'
}

/** `retry-after-ms`, else `retry-after` in seconds or as a date; milliseconds. */
function retryAfter({ headers }: IncomingMessage): number | undefined {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN)
  if (exact >= 0) return exact
  const text = headers['retry-after']
  if (text === undefined) return undefined
  const seconds = Number(text)
  const wait = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1_000
  return wait >= 0 ? wait : undefined
}

/** What broke an exchange: the signal's reason where that was it. */
export function asTransportError(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof TransportError) return error
  // Node wraps an abort: the deadline, or whatever the caller gave, is what has to be told.
  if (signal.aborted) return signal.reason
  const message = error instanceof Error ? error.message : String(error)
  return new TransportError('unreachable', message, { cause: error })
}
