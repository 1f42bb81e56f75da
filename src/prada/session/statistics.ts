/** What a text has cost so far. */
export interface PradaStatistics {
  readonly tokens: number
  readonly trips: number
  /** Drafts that were sent and judged: those behind a rejected one are not. */
  readonly judged: number
  readonly accepted: number
  /** Positions that the first answer left open. */
  readonly uncertain: number
  /** Trips that had to ask for more at a position. */
  readonly extraTrips: number
  /** Tokens that are not certain. */
  readonly inexact: number
  /** Certain tokens of a remote whose answers differ a little, where such a difference might give another one. */
  readonly nearTies: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Both ways, without headers; the same as all where the remote does not tell them apart. */
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
