import type { CostRow } from './cost-row.ts'

/** Largest ratio of highest to lowest cost that counts as flat. */
const FLAT_MAX = 1.05
/** Ready, propose, prevote, precommit, attest. */
const DELAYS_TO_SEAL = 5
/** Propose, prevote, precommit. */
const DELAYS_TO_COMMIT = 3

/** The verdict on the rows. */
export interface Verdict {
  /** Highest ÷ lowest over the rows with a committee; null if there are fewer than two. */
  readonly flat: { readonly messages: number; readonly bytes: number } | null
  /** Failed expectations in words; empty if there are none. */
  readonly faults: readonly string[]
}

/** Judges rows: five delays without faults, three of them on the vote path, and costs that do not grow with the members. */
export function judgeRows(rows: readonly CostRow[]): Verdict {
  const faults: string[] = []
  for (const { members, mode, delays } of rows) {
    if (mode === 'processes') continue
    const expected = mode === 'vote-path' ? DELAYS_TO_COMMIT : DELAYS_TO_SEAL
    if (delays !== expected) faults.push(`${mode}, ${members} members: ${delays} delays, not ${expected}`)
  }
  const drawn = rows.filter(({ mode }) => mode === 'committee')
  if (new Set(drawn.map(({ members }) => members)).size < 2) return { flat: null, faults }
  const spread = (of: (row: CostRow) => number) => {
    const costs = drawn.map(of)
    return Number((Math.max(...costs) / Math.min(...costs)).toFixed(4))
  }
  const flat = { messages: spread(({ messages }) => messages), bytes: spread(({ bytes }) => bytes) }
  for (const [what, ratio] of Object.entries(flat))
    if (ratio > FLAT_MAX)
      faults.push(`with a committee the ${what} of a member are not flat: highest ÷ lowest is ${ratio}`)
  return { flat, faults }
}
