/** Bounds of a logits server. */
export interface LogitsLimits {
  /** Maximum number of open sessions of all clients. */
  readonly sessions: number
  /** Maximum number of open sessions per client. */
  readonly sessionsPerClient: number
  /** Idle time after which a session expires, milliseconds. */
  readonly expiryMs: number
  /** Total number of tokens in all sessions' caches. */
  readonly cachedTokens: number
  /** Maximum number of tokens per request, including drafts. */
  readonly tokensPerRequest: number
  /** Maximum request size, bytes. */
  readonly requestBytes: number
  /** Requests waiting for the model, in total and per client. */
  readonly waiting: number
  readonly waitingPerClient: number
  /** Maximum number of ids that a record reports by rank, and of ids requested by number. */
  readonly topKMax: number
  readonly wantedMax: number
  /**
   * Whether whole rows are served. A client that collects enough of them can reconstruct the model's head (arXiv
   * 2403.09539).
   */
  readonly rows: boolean
  /** Positions reported to a client per minute, including those of drafts. */
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
