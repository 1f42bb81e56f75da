/** When a peer held its last certificate of a round, and when it sealed the round: milliseconds since 1970. */
export interface SealTimes {
  readonly certified: number
  readonly sealed: number
}

/**
 * Reads a daemon's log, written with `rounds=debug`: of each round the last certificate and the seal. Rounds without
 * certificates and unfinished rounds are left out.
 */
export function sealTimes(log: string): Map<number, SealTimes> {
  const times = new Map<number, SealTimes>()
  let certified: number | undefined
  for (const line of log.split('\n')) {
    if (line === '') continue
    const { msg, time, round } = JSON.parse(line) as { msg: string; time: string | number; round?: number }
    const at = new Date(time).getTime()
    if (msg === 'a manifest is certified') certified = at
    if (msg !== 'sealed' || round === undefined) continue
    if (certified !== undefined) times.set(round, { certified, sealed: at })
    certified = undefined
  }
  return times
}
