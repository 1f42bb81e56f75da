/** Learns how many ids an answer should report per position. */
export interface RankCount {
  readonly count: number
  /** @param certain whether the first answer settled the position */
  learn(certain: boolean): void
}

/** Bounds of the count, and the target share of positions that the first answer leaves open. */
export interface RankCosts {
  readonly first: number
  readonly least: number
  readonly most: number
  /** Target share of positions that stay open. */
  readonly open: number
}

/** Relative increase of the count after an open position. */
const RISE = 0.25

/**
 * A count that converges to the given share of open positions: each open position raises it by a quarter, and each
 * settled one lowers it by the amount that balances this share. How far offsets move the ranks differs between
 * adapters, strengths and texts, so the count is learned.
 */
export function createRankCount({ first, least, most, open }: RankCosts): RankCount {
  const rise = Math.log1p(RISE)
  const fall = (rise * open) / (1 - open)
  let level = Math.log(first)
  return {
    get count() {
      return Math.max(1, Math.round(Math.exp(level)))
    },
    learn(certain) {
      const next = level + (certain ? -fall : rise)
      level = Math.max(Math.log(least), Math.min(Math.log(Math.max(least, most)), next))
    }
  }
}
