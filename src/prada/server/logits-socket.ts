import type { RawData, WebSocket } from 'ws'
import type { LogitsService } from './logits-service.ts'

/** Unanswered requests per socket: the current one, and the one that replaces it. */
const REQUESTS_MAX = 2
/** WebSocket close code for a policy violation (RFC 6455, section 7.4.1). */
const POLICY_VIOLATION = 1008

/** Describes a failed request for the client. */
export type Failure = (error: unknown) => object

/**
 * Answers the requests of one socket (`LOGITS_PROTOCOL`). Closes it when the client sends no request, or reads nothing, for
 * the lifetime of a session.
 */
export function serveLogitsSocket(
  socket: WebSocket,
  service: LogitsService,
  client: string,
  failureOf: Failure
): void {
  const gone = new AbortController()
  let last: Promise<void> = Promise.resolve()
  let pending = 0
  let idle: NodeJS.Timeout | undefined
  const waitForMore = (): void => {
    clearTimeout(idle)
    idle = setTimeout(() => socket.close(), service.limits.expiryMs)
    idle.unref()
  }
  /** Waits until the connection has taken the data, so that at most one piece is buffered. */
  const send = (data: Uint8Array | string): Promise<void> =>
    new Promise((resolve, reject) => {
      const stalled = setTimeout(() => socket.terminate(), service.limits.expiryMs)
      stalled.unref()
      socket.send(data, { binary: typeof data !== 'string' }, (error) => {
        clearTimeout(stalled)
        if (error) reject(error)
        else resolve()
      })
    })
  const answer = async (request: Uint8Array, before: Promise<void>): Promise<void> => {
    const pieces = service.verify(client, request, gone.signal)
    try {
      // Started at once, because it ends the previous answer.
      const first = pieces.next()
      first.catch(() => undefined)
      await before
      for (let next = await first; !next.done; next = await pieces.next()) await send(next.value)
      await send(new Uint8Array(0))
    } catch (error) {
      await send(JSON.stringify(failureOf(error)))
    } finally {
      await pieces.return(undefined)
    }
  }
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (!isBinary || pending >= REQUESTS_MAX) {
      socket.close(POLICY_VIOLATION, isBinary ? 'too many requests at once' : 'not a binary message')
      return
    }
    pending++
    clearTimeout(idle)
    last = answer(new Uint8Array(data as Buffer), last)
      .catch(() => undefined)
      .finally(() => {
        if (--pending === 0 && !gone.signal.aborted) waitForMore()
      })
  })
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    clearTimeout(idle)
    gone.abort(new Error('the client has hung up'))
  })
  waitForMore()
}
