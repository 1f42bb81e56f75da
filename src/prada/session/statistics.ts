/** Counters of a text so far. */
export interface PradaStatistics {
  readonly tokens: number
  readonly trips: number
  /** Drafts that were sent and judged; those after a rejected one are not. */
  readonly judged: number
  readonly accepted: number
  /** Positions that the first answer left open. */
  readonly uncertain: number
  /** Trips that requested more about an open position. */
  readonly extraTrips: number
  /** Tokens that are not certain. */
  readonly inexact: number
  /** Certain tokens for which the variation between the remote's answers might lead to another token. */
  readonly nearTies: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Bytes in both directions without headers; equal to all bytes if the remote does not measure them separately. */
  readonly contentBytes: number
}

export interface StatisticsCounter {
  tokens: number
  trips: number
  judged: number
  accepted: number
  uncertain: number
  extraTrips: number
  inexact: number
  nearTies: number
}

export function createStatistics(): StatisticsCounter {
  return { tokens: 0, trips: 0, judged: 0, accepted: 0, uncertain: 0, extraTrips: 0, inexact: 0, nearTies: 0 }
}
