/** Learns how many ids an answer should tell of every position. */
export interface RankCount {
  readonly count: number
  /** @param certain whether the first answer has settled a position */
  learn(certain: boolean): void
}

/** What ids told at every position cost beside an answer that leaves one open. */
export interface RankCosts {
  readonly first: number
  readonly least: number
  readonly most: number
  /** Share of the positions that may stay open. */
  readonly open: number
}

/** Share by which an open position raises the count. */
const RISE = 0.25

/**
 * A count that settles where the given share of positions stays open: each open one raises it by a quarter, each settled
 * one lowers it by as much as keeps the balance. How far offsets move the ranks is different for every adapter, strength and
 * text, so it is measured.
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
