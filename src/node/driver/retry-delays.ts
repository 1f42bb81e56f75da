/** Retry delays, milliseconds. */
export interface RetryDelays {
  /** A write to the log or of a sealed round. */
  readonly diskMs: number
  /** A fetch or a build. */
  readonly workMs: number
}

/** Those of a peer; tests take shorter ones. */
export const RETRY_DELAYS: RetryDelays = { diskMs: 2_000, workMs: 1_000 }
