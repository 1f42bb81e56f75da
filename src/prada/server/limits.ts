/** Bounds of a logits server. */
export interface LogitsLimits {
  /** Sessions at a time, of all clients. */
  readonly sessions: number
  /** Sessions of one client. */
  readonly sessionsPerClient: number
  /** A session unused for this long is forgotten, milliseconds. */
  readonly expiryMs: number
  /** Tokens in all sessions' caches together. */
  readonly cachedTokens: number
  /** Tokens of one request, drafts included. */
  readonly tokensPerRequest: number
  /** Bytes of one request. */
  readonly requestBytes: number
  /** Requests that wait for the model, of all clients and of one. */
  readonly waiting: number
  readonly waitingPerClient: number
  /** Most ids that a record tells by rank, and most that are asked for by number. */
  readonly topKMax: number
  readonly wantedMax: number
  /** Whether whole rows are told. A client that collects enough of them learns the model's head (arXiv 2403.09539). */
  readonly rows: boolean
  /** Positions a client is told of in a minute, those of drafts included. */
  readonly positionsPerMinute: number
}

export const DEFAULT_LOGITS_LIMITS: LogitsLimits = {
  sessions: 64,
  sessionsPerClient: 8,
  expiryMs: 120_000,
  cachedTokens: 262_144,
  tokensPerRequest: 512,
  requestBytes: 256 * 1_024,
  waiting: 64,
  waitingPerClient: 8,
  topKMax: 4_096,
  wantedMax: 512,
  rows: true,
  positionsPerMinute: 120_000
}
