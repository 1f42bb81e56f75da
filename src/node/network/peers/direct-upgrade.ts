/** When to retry a direct connection to a peer that is connected through a relay. */
export interface UpgradeTurn {
  readonly attempts: number
  readonly at: number
}

const FIRST_UPGRADE_MS = 5_000
const LAST_UPGRADE_MS = 600_000

/**
 * The time of the next attempt after `attempts` attempts, from `now` in milliseconds: soon at first, then every ten
 * minutes.
 */
export function nextUpgrade(attempts: number, now: number): UpgradeTurn {
  return { attempts, at: now + Math.min(LAST_UPGRADE_MS, FIRST_UPGRADE_MS * 3 ** Math.min(attempts, 10)) }
}
