import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/** Pause after which a comment tells that the stream still lives, milliseconds. */
const PING_MS = 15_000
/** Longest that a client may take nothing of what waits for it, milliseconds. */
const STALLED_MS = 30_000

/** Server-sent events to one client, never more than it takes. */
export interface EventStream {
  /** @throws when the client is gone, or has taken nothing for too long */
  send(data: object | '[DONE]'): Promise<void>
  /** The same for what comes last, whether it is taken or not. */
  sendLast(data: object): void
  /** Ends the answer. */
  end(): void
}

/**
 * Begins an answer of server-sent events.
 *
 * @param headers beside those of a stream
 * @param signal aborts when the client is gone
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
    // Proxies that collect an answer would hold the text back.
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
        throw new Error('the client takes nothing')
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
