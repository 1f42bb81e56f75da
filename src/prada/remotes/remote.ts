import type { Precision, Vocabulary } from '../core/index.ts'
import type { PositionRecord, PositionRequest, RemoteDraft, SharedNoise } from '../wire/index.ts'

/** What can be requested from a remote. */
export interface RemoteCapabilities {
  /** Maximum number of ids that a record reports by rank. */
  readonly topKMax: number
  /** Maximum number of specific ids that can be requested per position; 0 if not supported. */
  readonly wantedMax: number
  /** Whether whole rows can be requested. */
  readonly rows: boolean
  /** Whether the remote can compute the device's noise and report the ids that are most likely to win. */
  readonly noise: boolean
  /** Whether the remote drafts tokens itself. */
  readonly drafts: boolean
  /** Whether it reports the positions after all of the device's drafts in one trip. */
  readonly judgesDrafts: boolean
  /**
   * Largest measured difference of a log-probability, nats, between two answers of the same model at the same position;
   * 0 if the same prefix always has the same logits.
   */
  readonly batchError: number
  /** Maximum number of drafts per trip, by either side. */
  readonly draftsMax: number
  /** Maximum text length, tokens. */
  readonly context: number
}

/** One trip, in terms of the whole text. The remote implementation tracks which part the server already holds. */
export interface TripRequest {
  /** The text followed by the drafts. */
  readonly ids: readonly number[]
  /** Requests for the positions after the last tokens of `ids`; at least one, at most as many as `ids`. */
  readonly positions: readonly PositionRequest[]
  readonly topK: number
  /** Replaces `topK` for the first position. */
  readonly firstTopK?: number
  /**
   * Number of the most likely among these that may be omitted because they are known; a remote may still report them.
   */
  readonly firstSkip?: number
  readonly precision: Precision
  readonly noise?: SharedNoise
  /**
   * If given and the remote drafts, records of the positions after its own drafts follow. With several positions this is
   * limited to a remote that computes the device's noise.
   */
  readonly draft?: RemoteDraft
}

/** All bytes sent and received for the text. */
export interface Traffic {
  readonly sent: number
  readonly received: number
  /** Bytes of the requests and answers alone, without the transport's overhead; absent if not measured. */
  readonly content?: number
}

/**
 * Returns a function that reports the traffic since now. A connection shared by several texts counts the bytes of all
 * of them.
 *
 * @param line counts all bytes since it was opened
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
   * Yields records in position order. Leaving the loop early tells the remote that the rest is not needed.
   *
   * @throws {RemoteError} if the remote fails or its answer is invalid
   */
  trip(request: TripRequest, signal: AbortSignal): AsyncGenerator<PositionRecord, void>
  readonly traffic: Traffic
  /** Frees the remote's resources; does not throw. */
  close(): Promise<void>
}

/** A black-box model that reports parts of its distributions. */
export interface Remote {
  readonly name: string
  readonly capabilities: RemoteCapabilities
  readonly vocabulary: Vocabulary
  /** Traffic of all its texts together, which may run concurrently. */
  readonly traffic?: Traffic
  /**
   * A new text.
   *
   * @param vocabularySize number of ids that count for top k, tail and rows
   * @throws {RemoteError}
   */
  start(vocabularySize: number, signal: AbortSignal): Promise<RemoteText>
}

/**
 * Why a remote cannot continue: `unreachable` (no connection, or a timeout), `busy` (it rejects requests for now),
 * `refused` (it will not serve this), `garbage` (its answer is invalid), `changed` (its model changed mid-text).
 */
export type RemoteFault = 'unreachable' | 'busy' | 'refused' | 'garbage' | 'changed'

/** A failure of a remote. No token is derived from its answer. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'
  readonly fault: RemoteFault

  constructor(fault: RemoteFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}
