import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { SESSION_BYTES, sessionOf } from '../wire/index.ts'
import {
  asTransportError,
  createHttpExchange,
  type HttpExchange,
  type HttpTransportOptions
} from './http-exchange.ts'
import { type LogitsSocket, openLogitsSocket } from './logits-socket.ts'
import { type LogitsTransport, TransportError } from './logits-transport.ts'
import { descriptionSchema, vocabularySchema } from './server-schemas.ts'

/** Up to this many bytes an unwanted rest is read and dropped; a longer one costs the connection. */
const DRAIN_BYTES_MAX = 2 ** 20

const sessionSchema = z.object({
  session: z
    .string()
    .length(2 * SESSION_BYTES)
    .regex(/^[0-9a-f]*$/)
})

/** Sockets that are kept for the next sessions. */
const IDLE_MAX = 2

const offerSchema = z.object({ socket: z.boolean().optional() })

/**
 * A logits server over HTTP. A server that offers it is asked over WebSockets, one a session, whose messages have no
 * headers; others, and those behind something that lets none through, by POST over connections that are kept.
 */
export function createHttpTransport(options: HttpTransportOptions): LogitsTransport & { dispose(): void } {
  const exchange = createHttpExchange(options)
  let content = 0
  const sockets = createSockets(options, exchange, (bytes) => {
    content += bytes
  })
  return {
    address: exchange.address,
    async describe(signal) {
      const response = await exchange.send('GET', 'v1/logits/model', undefined, signal)
      const { socket, ...description } = await exchange.json(
        response,
        descriptionSchema.and(offerSchema),
        signal
      )
      sockets.offered = socket === true
      return description
    },
    async vocabulary(signal) {
      const response = await exchange.send('GET', 'v1/logits/vocabulary', undefined, signal)
      return exchange.json(response, vocabularySchema, signal)
    },
    async open(vocabularySize, signal) {
      const body = { type: 'application/json', bytes: Buffer.from(JSON.stringify({ vocabularySize })) }
      const response = await exchange.send('POST', 'v1/logits/sessions', body, signal)
      return Buffer.from((await exchange.json(response, sessionSchema, signal)).session, 'hex')
    },
    async *verify(request, bytesMax, signal) {
      const socket = await sockets.of(sessionOf(request), signal)
      if (socket !== undefined) {
        yield* socket.ask(request, bytesMax, signal)
        return
      }
      const response = await exchange.send(
        'POST',
        'v1/logits/verify',
        { type: 'application/octet-stream', bytes: request },
        signal
      )
      content += request.length
      let received = 0
      try {
        for await (const chunk of response.iterator({ destroyOnReturn: false })) {
          received += (chunk as Buffer).length
          content += (chunk as Buffer).length
          if (received > bytesMax)
            throw new TransportError('garbage', `an answer of more than ${bytesMax} bytes`)
          yield chunk as Buffer
        }
        if (!response.complete) throw new TransportError('unreachable', 'the connection broke in mid-answer')
      } catch (error) {
        response.destroy()
        throw asTransportError(error, signal)
      } finally {
        leave(response, bytesMax - received)
      }
    },
    async close(session, signal) {
      sockets.release(session)
      const response = await exchange.send(
        'DELETE',
        `v1/logits/sessions/${Buffer.from(session).toString('hex')}`,
        undefined,
        signal
      )
      await exchange.drop(response, signal)
    },
    get traffic() {
      return { ...exchange.traffic, content }
    },
    dispose() {
      sockets.dispose()
      exchange.dispose()
    }
  }
}

/** The sockets of a transport. */
interface Sockets {
  /** Whether the server opens any. */
  offered: boolean
  /** A session's socket; undefined where there is none to be had. */
  of(session: Uint8Array, signal: AbortSignal): Promise<LogitsSocket | undefined>
  /** Leaves a session's socket to the next. */
  release(session: Uint8Array): void
  dispose(): void
}

function createSockets(
  { apiKey }: HttpTransportOptions,
  exchange: HttpExchange,
  addContent: (bytes: number) => void
): Sockets {
  const used = new Map<string, LogitsSocket>()
  let idle: LogitsSocket[] = []
  const nameOf = (session: Uint8Array): string => Buffer.from(session).toString('hex')
  const sockets: Sockets = {
    offered: false,
    async of(session, signal) {
      if (!sockets.offered) return undefined
      const before = used.get(nameOf(session))
      if (before?.isOpen) return before
      idle = idle.filter(({ isOpen }) => isOpen)
      const kept = idle.pop()
      const meter = { watch: exchange.watch, addContent }
      const socket = kept ?? (await openLogitsSocket(exchange.address, apiKey, meter, signal))
      if (socket === undefined) {
        sockets.offered = false
        return undefined
      }
      socket.rest(false)
      used.set(nameOf(session), socket)
      return socket
    },
    release(session) {
      const socket = used.get(nameOf(session))
      used.delete(nameOf(session))
      if (!socket?.isOpen) return
      socket.rest(true)
      if (idle.length < IDLE_MAX) idle.push(socket)
      else socket.close()
    },
    dispose() {
      for (const socket of [...used.values(), ...idle]) socket.close()
      used.clear()
      idle = []
    }
  }
  return sockets
}

/** Leaves an answer whose rest is not wanted: the server ends it when the next request comes. */
function leave(response: IncomingMessage, rest: number): void {
  if (response.readableEnded || response.destroyed) return
  if (rest > DRAIN_BYTES_MAX) response.destroy()
  else response.resume()
}
