/** Terms of a charter that the founder does not state. */
export const CHARTER_DEFAULTS = {
  /** Times that suit a network over the open internet and rounds of some minutes. */
  timeouts: {
    trainMs: 30 * 60_000,
    gatherMs: 5 * 60_000,
    graceMs: 10_000,
    proposeMs: 5_000,
    voteMs: 3_000,
    growthMs: 2_000
  },
  maximumRank: 64,
  /** Rounds after the seal during which blocks are served. */
  retain: 64
} as const
