import type { ServerResponse } from 'node:http'

/** Maximum number of subscribed clients. */
export const STREAMS_MAX = 16
/** Bytes that may be buffered for one slow client; events beyond that are dropped. */
export const STREAM_BUFFER_MAX = 256 * 1024
/** Interval of heartbeats and of the check for stalled clients, milliseconds. */
const HEARTBEAT_MS = 15_000
/** Heartbeats after which a client that reads nothing is disconnected. */
const STALLED_HEARTBEATS_MAX = 4

/** What a client subscribes to. */
export interface StreamFilter {
  wants(type: string, data: unknown): boolean
}

interface Client {
  readonly response: ServerResponse
  readonly filter: StreamFilter
  /** Dropped events that have not been reported to it yet. */
  dropped: number
  stalled: number
}

/**
 * Server-sent events to the clients of the control API. A client that does not keep up loses events and is told how
 * many (`event: dropped`); the daemon never waits.
 */
export class EventStreams {
  readonly #clients = new Set<Client>()
  #heartbeat: NodeJS.Timeout | undefined
  #dropped = 0

  /** Number of subscribed clients. */
  get open(): number {
    return this.#clients.size
  }

  /** Total number of dropped events. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Turns a response into a stream of events; returns false if there are too many already.
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

  /** Sends an event to every subscriber of its type. */
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
