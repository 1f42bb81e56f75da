import type { Precision, Vocabulary } from '../core/index.ts'
import type { PositionRecord, PositionRequest, RemoteDraft, SharedNoise } from '../wire/index.ts'

/** What a remote can be asked for. */
export interface RemoteCapabilities {
  /** Most ids that a record tells by rank. */
  readonly topKMax: number
  /** Most ids a position that can be asked for by number; 0 where none can. */
  readonly wantedMax: number
  /** Whether whole rows can be asked for. */
  readonly rows: boolean
  /** Whether the remote can make the device's noise, and tell the ids that are likeliest to win. */
  readonly noise: boolean
  /** Whether the remote drafts tokens itself. */
  readonly drafts: boolean
  /** Whether it tells of the positions behind the device's drafts, all in one trip. */
  readonly judgesDrafts: boolean
  /**
   * Largest difference of a log-probability, nats, between two answers of the same model at the same position, measured;
   * 0 where the same prefix always has the same logits.
   */
  readonly batchError: number
  /** Most drafts a trip, made by either side. */
  readonly draftsMax: number
  /** Longest text, tokens. */
  readonly context: number
}

/** One trip, in terms of the whole text; what of it the remote holds already is the remote's business. */
export interface TripRequest {
  /** The text and the drafts behind it. */
  readonly ids: readonly number[]
  /** What is asked of the positions behind the last tokens of `ids`; at least one, at most as many as `ids`. */
  readonly positions: readonly PositionRequest[]
  readonly topK: number
  /** In place of `topK` for the first position. */
  readonly firstTopK?: number
  /** Of these the likeliest that need not be told again; a remote may tell them all the same. */
  readonly firstSkip?: number
  readonly precision: Precision
  readonly noise?: SharedNoise
  /**
   * Records of the positions behind the remote's own drafts follow, where it drafts; with several positions only of a remote
   * that makes the device's noise.
   */
  readonly draft?: RemoteDraft
}

/** Bytes that have crossed the line, all of what was sent and received for the text. */
export interface Traffic {
  readonly sent: number
  readonly received: number
  /** Of these the requests and answers themselves, without what carries them; absent where that is not told apart. */
  readonly content?: number
}

/**
 * Tells what has crossed a line since now. A line that several texts share counts the bytes of all of them.
 *
 * @param line counts from its beginning
 */
export function trafficSince(line: { readonly traffic: Traffic }): () => Traffic {
  const before = line.traffic
  return () => {
    const { sent, received, content } = line.traffic
    return {
      sent: sent - before.sent,
      received: received - before.received,
      ...(content !== undefined && { content: content - (before.content ?? 0) })
    }
  }
}

/** One text on a remote. One trip at a time. */
export interface RemoteText {
  /**
   * Records in the order of the positions. Ending the loop early tells the remote that the rest is not wanted.
   *
   * @throws {RemoteError} when the remote fails, or answers something that is no answer
   */
  trip(request: TripRequest, signal: AbortSignal): AsyncGenerator<PositionRecord, void>
  readonly traffic: Traffic
  /** Frees what the remote holds; does not fail. */
  close(): Promise<void>
}

/** A black box that tells of its distributions. */
export interface Remote {
  readonly name: string
  readonly capabilities: RemoteCapabilities
  readonly vocabulary: Vocabulary
  /** Of all its texts together, which may be under way at the same time. */
  readonly traffic?: Traffic
  /**
   * A new text.
   *
   * @param vocabularySize only ids below this count, for top k, tail and rows alike
   * @throws {RemoteError}
   */
  start(vocabularySize: number, signal: AbortSignal): Promise<RemoteText>
}

/**
 * Why a remote cannot go on: `unreachable` (no connection, or none in time), `busy` (it refuses for now), `refused` (it
 * will not do this), `garbage` (what it answered is no answer), `changed` (it became another model in mid-text).
 */
export type RemoteFault = 'unreachable' | 'busy' | 'refused' | 'garbage' | 'changed'

/** A remote that failed. No token is made of what it said. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'
  readonly fault: RemoteFault

  constructor(fault: RemoteFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}
