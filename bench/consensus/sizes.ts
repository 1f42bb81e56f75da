/** The default sizes: members, and rounds to count. */
export type Size = readonly [members: number, rounds: number]

/** Number of members that train and vote, if not all do. */
export const COMMITTEE = 20

/** Where all train and vote, a round has n³ deliveries of endorsements. */
export const SIMULATED: readonly Size[] = [
  [4, 5],
  [7, 5],
  [10, 5],
  [20, 3],
  [40, 1],
  [100, 1]
]

export const COMMITTEES: readonly Size[] = [
  [100, 2],
  [200, 1],
  [500, 1],
  [1_000, 1]
]

export const PROCESSES: readonly Size[] = [
  [4, 8],
  [7, 8],
  [10, 6],
  [16, 4]
]

/** Sizes that one mode takes. */
export interface SizeRange {
  readonly least: number
  readonly most: number
}

/**
 * Fewer than four tolerate no fault and skip delays. Above the maximum, a simulation takes hours, and a machine cannot
 * run that many daemons.
 */
export const SIZE_RANGES = {
  simulated: { least: 4, most: 100 },
  committee: { least: COMMITTEE + 1, most: 2_000 },
  processes: { least: 4, most: 16 }
} as const satisfies Readonly<Record<string, SizeRange>>
