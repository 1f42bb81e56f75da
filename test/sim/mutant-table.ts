import { MUTANTS } from './mutants.ts'
import { runScenario, type SeedResult } from './run-seed.ts'
import { SITUATION_SEEDS, situations } from './situations.ts'
import { sweep } from './sweep.ts'

/** How one mutant fared. */
export interface MutantResult {
  readonly mutant: string
  readonly says: string
  /** Seeds that ran until it was caught. */
  readonly seeds: number
  readonly caught: SeedResult | undefined
}

/** Runs every mutant in its own situation until a run shows it. */
export function runSituations(onResult: (result: MutantResult) => void = () => {}): MutantResult[] {
  return Object.entries(MUTANTS).map(([mutant, { says }]) => {
    let caught: SeedResult | undefined
    let seed = 0
    while (caught === undefined && seed < SITUATION_SEEDS) {
      const run = runScenario(situations[mutant]!(++seed), mutant)
      if (run.failure !== undefined) caught = run
    }
    const result = { mutant, says, seeds: seed, caught }
    onResult(result)
    return result
  })
}

/** Runs every mutant until a drawn seed shows it. */
export async function runMutants(
  seeds: number,
  from: number,
  jobs: number,
  onResult: (result: MutantResult) => void = () => {}
): Promise<MutantResult[]> {
  const results: MutantResult[] = []
  for (const [mutant, { says }] of Object.entries(MUTANTS)) {
    const run = await sweep({ from, seeds, mutant, jobs, untilFailure: true })
    const caught = run.find(({ failure }) => failure !== undefined)
    const needed = caught === undefined ? run.length : caught.seed - from + 1
    const result = { mutant, says, seeds: needed, caught }
    results.push(result)
    onResult(result)
  }
  return results
}

/** Prints the table of `docs/results/mutants.md`; whether all of them were caught. */
export async function mutantTable(
  {
    seeds,
    from,
    jobs,
    json,
    drawn
  }: { seeds: number; from: number; jobs: number; json: boolean; drawn: boolean },
  tell: (text: string) => void
): Promise<boolean> {
  const rows: string[] = ['| mutant | what is broken | caught by | seeds needed |', '|---|---|---|---|']
  const note = ({ mutant, says, seeds: needed, caught }: MutantResult) => {
    rows.push(`| \`${mutant}\` | ${says} | ${caught?.failure?.invariant ?? '**not caught**'} | ${needed} |`)
    tell(`${mutant}: ${caught === undefined ? `survived ${needed} seeds` : `caught at seed ${caught.seed}`}`)
  }
  const results = drawn ? await runMutants(seeds, from, jobs, note) : runSituations(note)
  const survivors = results.filter(({ caught }) => caught === undefined).map(({ mutant }) => mutant)
  if (json) console.log(JSON.stringify({ mutants: results.length, survivors }))
  else console.log(rows.join('\n'))
  return survivors.length === 0
}
