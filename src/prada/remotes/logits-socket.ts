import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { LOGITS_PROTOCOL } from './logits-protocol.ts'
import { TransportError } from './logits-transport.ts'

/** How long a socket may take to open; what lies between may swallow the request. Milliseconds. */
const OPENING_MS = 2_000

const failureSchema = z.object({
  error: z.string(),
  fault: z.string().optional(),
  status: z.int().optional(),
  retryAfterMs: z.number().min(0).optional()
})

/** An answer as its messages come. */
interface Answer {
  readonly bytesMax: number
  received: number
  readonly pieces: Uint8Array[]
  ended: boolean
  failure: unknown
  /** Nobody reads it any more. */
  left: boolean
  wake: () => void
}

/** One session's requests over one WebSocket, so that a trip carries no headers. */
export interface LogitsSocket {
  readonly isOpen: boolean
  /**
   * The answer's bytes as they come. Ending the loop early leaves the rest, which is dropped as it comes; the signal
   * breaks the connection.
   *
   * @throws {TransportError}
   */
  ask(request: Uint8Array, bytesMax: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void>
  /** Whether the process may end while it is open. */
  rest(resting: boolean): void
  close(): void
}

/** Requests and answers whose messages are counted. */
export interface SocketMeter {
  watch(socket: Socket): void
  addContent(bytes: number): void
}

/**
 * Opens a WebSocket to a logits server.
 *
 * @returns undefined where the server, or what lies before it, does not open one in time
 * @throws {TransportError} `unreachable`
 */
export async function openLogitsSocket(
  address: string,
  apiKey: string | undefined,
  meter: SocketMeter,
  signal: AbortSignal
): Promise<LogitsSocket | undefined> {
  signal.throwIfAborted()
  const url = new URL('v1/logits/socket', address)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, LOGITS_PROTOCOL, {
    perMessageDeflate: false,
    ...(apiKey !== undefined && { headers: { authorization: `Bearer ${apiKey}` } })
  })
  let raw: Socket | undefined
  socket.on('upgrade', (response) => {
    raw = response.socket
    meter.watch(raw)
  })
  const opened = await new Promise<boolean>((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason)
      socket.terminate()
    }
    signal.addEventListener('abort', abort, { once: true })
    const late = setTimeout(() => {
      resolve(false)
      socket.terminate()
    }, OPENING_MS)
    socket.once('open', () => resolve(true))
    socket.once('unexpected-response', (request) => {
      resolve(false)
      request.destroy()
    })
    socket.on('error', (error) => reject(new TransportError('unreachable', error.message, { cause: error })))
    const forget = (): void => {
      clearTimeout(late)
      signal.removeEventListener('abort', abort)
    }
    socket.once('open', forget).once('unexpected-response', forget).once('close', forget)
  })
  return opened ? new OpenSocket(socket, raw!, meter) : undefined
}

class OpenSocket implements LogitsSocket {
  readonly #socket: WebSocket
  readonly #raw: Socket
  readonly #meter: SocketMeter
  /** Answers that have not ended, in the order in which they were asked for. */
  readonly #answers: Answer[] = []

  constructor(socket: WebSocket, raw: Socket, meter: SocketMeter) {
    this.#socket = socket
    this.#raw = raw
    this.#meter = meter
    socket.on('message', (data, isBinary) => this.#take(data as Buffer, isBinary))
    socket.on('close', () => this.#break('the connection broke in mid-answer'))
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  async *ask(request: Uint8Array, bytesMax: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    signal.throwIfAborted()
    const answer: Answer = {
      ...{ bytesMax, received: 0, pieces: [], ended: false, failure: undefined, left: false },
      wake: () => undefined
    }
    const abort = (): void => {
      this.#end(answer, signal.reason)
      this.#socket.terminate()
    }
    signal.addEventListener('abort', abort, { once: true })
    this.#answers.push(answer)
    this.#meter.addContent(request.length)
    this.#socket.send(request)
    try {
      for (;;) {
        const piece = answer.pieces.shift()
        if (piece !== undefined) yield piece
        else if (answer.failure !== undefined) throw answer.failure
        else if (answer.ended) return
        else
          await new Promise<void>((resolve) => {
            answer.wake = resolve
          })
      }
    } finally {
      signal.removeEventListener('abort', abort)
      answer.left = true
      answer.pieces.length = 0
    }
  }

  rest(resting: boolean): void {
    if (resting) this.#raw.unref()
    else this.#raw.ref()
  }

  close(): void {
    this.#socket.close()
    this.rest(true)
  }

  #take(data: Buffer, isBinary: boolean): void {
    const answer = this.#answers[0]
    if (answer === undefined) {
      this.#socket.terminate()
      return
    }
    this.#meter.addContent(data.length)
    if (!isBinary) this.#end(answer, failureOf(data))
    else if (data.length === 0) this.#end(answer, undefined)
    else {
      answer.received += data.length
      if (answer.received > answer.bytesMax) {
        this.#end(answer, new TransportError('garbage', `an answer of more than ${answer.bytesMax} bytes`))
        this.#socket.terminate()
      } else if (!answer.left) {
        answer.pieces.push(data)
        answer.wake()
      }
    }
  }

  #end(answer: Answer, failure: unknown): void {
    const place = this.#answers.indexOf(answer)
    if (place >= 0) this.#answers.splice(place, 1)
    answer.ended = true
    answer.failure ??= failure
    answer.wake()
  }

  #break(reason: string): void {
    for (const answer of [...this.#answers]) this.#end(answer, new TransportError('unreachable', reason))
  }
}

/** What a message of text says: why there is no answer. */
function failureOf(data: Buffer): TransportError {
  const parsed = failureSchema.safeParse(parseJson(data.toString('utf8')))
  if (!parsed.success) return new TransportError('garbage', 'a message of another form')
  const { error, fault, status = 0, retryAfterMs } = parsed.data
  const known = fault === 'unknown-session' ? fault : status === 429 || status === 503 ? 'busy' : 'refused'
  return new TransportError(known, `${status}, ${error.slice(0, 500)}`, {
    status,
    ...(retryAfterMs !== undefined && { retryAfterMs })
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
