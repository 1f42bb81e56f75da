import type { CostRow } from './cost-row.ts'

/** Most that a cost may be above the least one, where it is to stay flat. */
const FLAT_MAX = 1.05
/** Ready, propose, prevote, precommit, attest. */
const DELAYS_TO_SEAL = 5
/** Propose, prevote, precommit. */
const DELAYS_TO_COMMIT = 3

/** What the rows have to keep to. */
export interface Verdict {
  /** Most ÷ least over the rows with a committee; null where there are not two to compare. */
  readonly flat: { readonly messages: number; readonly bytes: number } | null
  /** What is not as it has to be, in words; empty where all is well. */
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
      faults.push(`with a committee the ${what} of a member are not flat: most ÷ least is ${ratio}`)
  return { flat, faults }
}
