import { loadSubject, MUTANTS } from '../mutants/index.ts'
import type { SeedResult } from '../runs/run-seed.ts'
import { SITUATION_SEEDS, situations } from '../scenarios/situations.ts'
import { appendResult, readResults } from '../support/results-file.ts'
import { writeBetweenMarks } from '../support/write-between-marks.ts'
import { sweep } from './sweep.ts'

/** Result of one mutant. */
export interface MutantResult {
  readonly mutant: string
  /** Number of seeds run until it was killed. */
  readonly seeds: number
  /** The seed that ran first. */
  readonly from: number
  readonly caught?: Pick<SeedResult, 'seed' | 'failure'> | undefined
}

/** Runs every mutant in its own situation, from the first seed on, until a run exposes it. */
export async function runSituations(
  onResult: (result: MutantResult) => void = () => {}
): Promise<MutantResult[]> {
  const results: MutantResult[] = []
  for (const mutant of Object.keys(MUTANTS)) {
    const { runSituation } = await loadSubject(mutant)
    let caught: Pick<SeedResult, 'seed' | 'failure'> | undefined
    let seed = 0
    const most = situations[mutant] === undefined ? 1 : SITUATION_SEEDS
    while (caught === undefined && seed < most) {
      const failure = runSituation(mutant, ++seed)
      if (failure !== undefined) caught = { seed, failure }
    }
    const result = { mutant, seeds: seed, from: 1, caught }
    results.push(result)
    onResult(result)
  }
  return results
}

/** The drawn seeds to run, the number of processes, and the results of an earlier run. */
interface DrawnOptions {
  readonly seeds: number
  readonly from: number
  readonly jobs: number
  readonly known: readonly MutantResult[]
}

/** Runs every mutant until a drawn seed exposes it. */
export async function runMutants(
  { seeds, from, jobs, known }: DrawnOptions,
  onResult: (result: MutantResult) => void = () => {}
): Promise<MutantResult[]> {
  const results: MutantResult[] = []
  // Mutants exposed only by a single member's situation never show in a run with at most f faulty members.
  for (const mutant of Object.keys(situations)) {
    const before = known.find(
      (result) =>
        result.mutant === mutant &&
        result.from === from &&
        (result.caught !== undefined || result.seeds >= seeds)
    )
    const result = before ?? (await runDrawn(mutant, { seeds, from, jobs }))
    results.push(result)
    if (before === undefined) onResult(result)
  }
  return results
}

async function runDrawn(
  mutant: string,
  { seeds, from, jobs }: Omit<DrawnOptions, 'known'>
): Promise<MutantResult> {
  const run = await sweep({ from, seeds, mutant, jobs, untilFailure: true })
  const caught = run.find(({ failure }) => failure !== undefined)
  return { mutant, seeds: caught === undefined ? run.length : caught.seed - from + 1, from, caught }
}

/** Options of `npm run sim -- --mutants`. */
export interface MutantTableOptions {
  readonly seeds: number
  readonly from: number
  readonly jobs: number
  readonly json: boolean
  readonly drawn: boolean
  /** File of earlier results, from which this run resumes; drawn seeds only. */
  readonly results?: string
  /** Document whose table is rewritten. */
  readonly document?: string
}

/** Runs the mutants, prints their table and writes it into the document, if one is named. @returns whether all were killed */
export async function mutantTable(
  options: MutantTableOptions,
  tell: (text: string) => void
): Promise<boolean> {
  const { json, drawn, results: file, document } = options
  const note = (result: MutantResult) => {
    const { mutant, seeds, caught } = result
    if (file !== undefined && drawn) appendResult(file, result)
    const recorded = MUTANTS[mutant]!.seed
    const hint = drawn || caught?.seed === recorded ? '' : `; recorded is seed ${recorded}`
    tell(
      `${mutant}: ${caught === undefined ? `survived ${seeds} seeds` : `killed at seed ${caught.seed}`}${hint}`
    )
  }
  const known = file === undefined ? [] : readResults<MutantResult>(file, ({ mutant }) => mutant)
  const results = drawn ? await runMutants({ ...options, known }, note) : await runSituations(note)
  const table = tableOf(results)
  const survivors = results.filter(({ caught }) => caught === undefined).map(({ mutant }) => mutant)
  if (document !== undefined) writeBetweenMarks(document, drawn ? 'drawn' : 'situations', table)
  console.log(json ? JSON.stringify({ mutants: results.length, survivors }) : table)
  return survivors.length === 0
}

function tableOf(results: readonly MutantResult[]): string {
  const rows = results.map(({ mutant, seeds, caught }) => {
    const by = caught?.failure?.invariant ?? '**not killed**'
    return `| \`${mutant}\` | ${MUTANTS[mutant]!.says} | ${by} | ${caught === undefined ? `> ${seeds}` : seeds} |`
  })
  return ['| mutant | what is broken | killed by | seeds needed |', '|---|---|---|---|', ...rows].join('\n')
}
