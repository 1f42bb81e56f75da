import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/** Interval of the keep-alive comments in a stream, milliseconds. */
const PING_MS = 15_000
/** Maximum time that a client may leave pending data unread, milliseconds. */
const STALLED_MS = 30_000

/** Server-sent events to one client, with backpressure. */
export interface EventStream {
  /** @throws if the client is gone or has not read anything for too long */
  send(data: object | '[DONE]'): Promise<void>
  /** Sends the last event without waiting for the client to read it. */
  sendLast(data: object): void
  /** Ends the answer. */
  end(): void
}

/**
 * Starts a response of server-sent events.
 *
 * @param headers in addition to those of a stream
 * @param signal aborts if the client is gone
 */
export function openEventStream(
  response: ServerResponse,
  headers: Record<string, string | number | readonly string[]>,
  signal: AbortSignal
): EventStream {
  response.writeHead(200, {
    ...(headers as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    // Keeps buffering proxies from holding the text back.
    'x-accel-buffering': 'no'
  })
  const ping = setInterval(() => {
    if (response.writableLength === 0) response.write(': still here\n\n')
  }, PING_MS).unref()
  response.once('close', () => clearInterval(ping))
  return {
    async send(data) {
      signal.throwIfAborted()
      const text = typeof data === 'string' ? data : JSON.stringify(data)
      if (response.write(`data: ${text}\n\n`)) return
      const waiting = AbortSignal.any([signal, AbortSignal.timeout(STALLED_MS)])
      await once(response, 'drain', { signal: waiting }).catch(() => {
        response.destroy()
        throw new Error('the client does not read the stream')
      })
    },
    sendLast(data) {
      if (!response.destroyed) response.write(`data: ${JSON.stringify(data)}\n\n`)
    },
    end() {
      clearInterval(ping)
      response.end()
    }
  }
}
