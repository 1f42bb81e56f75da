import type { ServerResponse } from 'node:http'

/** Clients that may listen at a time. */
export const STREAMS_MAX = 16
/** What may wait in memory for one slow client, bytes; what comes on top is dropped. */
export const STREAM_BUFFER_MAX = 256 * 1024
/** How often a client is told that the stream still lives, and a stalled one is looked for, milliseconds. */
const HEARTBEAT_MS = 15_000
/** Heartbeats after which a client that takes nothing is hung up on. */
const STALLED_HEARTBEATS_MAX = 4

/** What a client wants to hear. */
export interface StreamFilter {
  wants(type: string, data: unknown): boolean
}

interface Client {
  readonly response: ServerResponse
  readonly filter: StreamFilter
  /** Events that it has lost and not been told of. */
  dropped: number
  stalled: number
}

/**
 * Server-sent events to the clients of the control API. Each gets its events as long as it takes them; one that does not
 * loses them and is told how many (`event: dropped`), and the daemon never waits.
 */
export class EventStreams {
  readonly #clients = new Set<Client>()
  #heartbeat: NodeJS.Timeout | undefined
  #dropped = 0

  /** Clients that listen. */
  get open(): number {
    return this.#clients.size
  }

  /** Events that were dropped in all. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Takes a response over as a stream of events; false where there are too many already.
   *
   * @param lines of the log, to begin with
   */
  add(response: ServerResponse, filter: StreamFilter, lines: readonly unknown[] = []): boolean {
    if (this.#clients.size >= STREAMS_MAX) return false
    const client: Client = { response, filter, dropped: 0, stalled: 0 }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'keep-alive'
    })
    response.write(': a stream of events begins\n\n')
    response.on('close', () => this.#remove(client))
    response.on('error', () => this.#remove(client))
    for (const line of lines) if (filter.wants('log', line)) this.#write(client, 'log', JSON.stringify(line))
    this.#clients.add(client)
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
    return true
  }

  /** Sends an event to all who want it. */
  send(type: string, data: unknown): void {
    let text: string | undefined
    for (const client of this.#clients) {
      if (!client.filter.wants(type, data)) continue
      text ??= JSON.stringify(data)
      this.#write(client, type, text)
    }
  }

  /** Ends all streams. */
  close(): void {
    clearInterval(this.#heartbeat)
    for (const client of [...this.#clients]) {
      this.#remove(client)
      client.response.end()
    }
  }

  #write(client: Client, type: string, text: string): void {
    const { response } = client
    if (response.writableLength > STREAM_BUFFER_MAX) {
      client.dropped++
      this.#dropped++
      return
    }
    if (client.dropped > 0) {
      response.write(`event: dropped\ndata: {"events":${client.dropped}}\n\n`)
      client.dropped = 0
    }
    response.write(`event: ${type}\ndata: ${text}\n\n`)
  }

  #beat(): void {
    for (const client of [...this.#clients]) {
      client.stalled = client.response.writableLength > 0 ? client.stalled + 1 : 0
      if (client.stalled >= STALLED_HEARTBEATS_MAX) {
        this.#remove(client)
        client.response.destroy()
      } else if (client.stalled === 0) client.response.write(': still here\n\n')
    }
  }

  #remove(client: Client): void {
    this.#clients.delete(client)
    if (this.#clients.size > 0) return
    clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
  }
}
