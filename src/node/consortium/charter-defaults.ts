/** Defaults of a charter's terms. */
export const CHARTER_DEFAULTS = {
  /** Timings for a network over the open internet with rounds of some minutes. */
  timeouts: {
    trainMs: 30 * 60_000,
    gatherMs: 5 * 60_000,
    graceMs: 10_000,
    proposeMs: 5_000,
    voteMs: 3_000,
    growthMs: 2_000
  },
  maximumRank: 64,
  /**
   * Nats per token: between what honest updates do to the text of members unlike their authors and what gross poison does
   * to everybody's (docs/results/held-out-margin.md).
   */
  heldOutMargin: 0.5,
  /** Rounds after the seal during which blocks are served. */
  retain: 64
} as const
