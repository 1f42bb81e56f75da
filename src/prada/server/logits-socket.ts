import type { RawData, WebSocket } from 'ws'
import type { LogitsService } from './logits-service.ts'

/** Requests of one socket that have not been answered: the one under way, and the one that takes its place. */
const REQUESTS_MAX = 2
/** WebSocket's code for a client that does what it must not (RFC 6455, section 7.4.1). */
const POLICY_VIOLATION = 1008

/** What a client is told of a request that is not served. */
export type Failure = (error: unknown) => object

/**
 * Answers the requests of one socket: `LOGITS_PROTOCOL`. A socket that asks nothing for as long as a session lives is
 * closed.
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
  const answer = async (request: Uint8Array, before: Promise<void>): Promise<void> => {
    const pieces = service.verify(client, request, gone.signal)
    try {
      // Begun at once, as it ends the answer before.
      const first = pieces.next()
      first.catch(() => undefined)
      await before
      for (let next = await first; !next.done; next = await pieces.next()) await send(socket, next.value)
      await send(socket, new Uint8Array(0))
    } catch (error) {
      await send(socket, JSON.stringify(failureOf(error)))
    } finally {
      await pieces.return(undefined)
    }
  }
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (!isBinary || pending >= REQUESTS_MAX) {
      socket.close(POLICY_VIOLATION, isBinary ? 'too many requests at a time' : 'not a request')
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

/** Waits until the line has taken it, so that no more is held than a piece. */
function send(socket: WebSocket, data: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(data, { binary: typeof data !== 'string' }, (error) => (error ? reject(error) : resolve()))
  })
}
