import { writeFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { loadSubject, MUTANTS } from './mutants/index.ts'
import type { SeedResult } from './runs/run-seed.ts'
import { drawScenario } from './scenarios/draw-scenario.ts'
import { appendResult, readResults } from './support/results-file.ts'
import { writeBetweenMarks } from './support/write-between-marks.ts'
import { mutantTable } from './sweep/mutant-table.ts'
import { histogram, replayOf, summarise, sweepMarkdown } from './sweep/report.ts'
import { shrink } from './sweep/shrink.ts'
import { sweep } from './sweep/sweep.ts'

interface Options {
  readonly seeds: number
  readonly from: number
  readonly mutate?: string
  readonly jobs: number
  readonly json: boolean
  readonly mutants: boolean
  readonly drawn: boolean
  readonly shrink?: number
  readonly out?: string
  readonly rounds?: number
  readonly results?: string
  readonly document?: string
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}

function mutantName(text: string): string {
  if (MUTANTS[text] !== undefined) return text
  throw new InvalidArgumentError(`known mutants: ${Object.keys(MUTANTS).join(', ')}`)
}

const program = new Command('npm run sim --')
  .description(
    'Runs whole consortia in virtual time, each drawn from a seed, and reports violated invariants.'
  )
  .option('--seeds <n>', 'how many seeds', wholeNumber, 100)
  .option('--from <seed>', 'the first seed', wholeNumber, 1)
  .option('--mutate <rule>', 'run a mutant, with one rule broken: the sweep must detect it', mutantName)
  .option(
    '--mutants',
    'run every mutant in its own situation, and print the number of runs until it is killed',
    false
  )
  .option('--drawn', 'with --mutants: in drawn seeds, at most --seeds of them', false)
  .option('--shrink <seed>', 'simplify the scenario of a failing seed', wholeNumber)
  .option('--out <file>', 'with --shrink: the file to write it to')
  .option('--jobs <n>', 'number of processes among which the seeds are divided', wholeNumber, 1)
  .option('--rounds <n>', 'minimum number of rounds that every seed seals', wholeNumber)
  .option(
    '--results <file>',
    'append the result of every seed, or mutant, and resume where an earlier run stopped'
  )
  .option('--document <file>', 'also write the table between its marks in this file')
  .option('--json', 'print one JSON object as the last line', false)
  .addHelpText(
    'after',
    '\nExamples:\n  npm run sim -- --seeds 200 --jobs 2\n  npm run sim -- --from 42 --seeds 1\n  npm run sim -- --seeds 100 --mutate lock\n  npm run sim -- --shrink 42 --mutate lock --out sim/scenarios/shrunk/lock.json'
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const options = program.opts<Options>()
const tell = (text: string) => void process.stderr.write(`${text}\n`)

async function runSweep({
  seeds,
  from,
  mutate,
  jobs,
  json,
  rounds,
  results: file,
  document
}: Options): Promise<boolean> {
  const before = file === undefined ? [] : readResults<SeedResult>(file, ({ seed }) => seed)
  const isOfRun = ({ seed }: SeedResult) => seed >= from && seed < from + seeds
  const known = before.filter(isOfRun)
  let done = known.length
  const fresh = await sweep({
    from,
    seeds,
    mutant: mutate,
    jobs,
    rounds,
    done: new Set(known.map(({ seed }) => seed)),
    onResult(result) {
      const { seed, failure } = result
      done++
      if (file !== undefined) appendResult(file, result)
      if (failure !== undefined)
        tell(
          `seed ${seed}: ${failure.invariant}: ${failure.text}\n  again: ${replayOf(seed, mutate, rounds)}`
        )
      if (done % 100 === 0) tell(`${done} of ${seeds} seeds`)
    }
  })
  const results = [...known, ...fresh].sort((left, right) => left.seed - right.seed)
  tell(histogram(results))
  const summary = summarise(results, mutate, rounds)
  tell(
    `${summary.seeds} seeds, ${summary.rounds} rounds: ${summary.violations} violations, ${summary.stalls} stalls`
  )
  if (document !== undefined) writeBetweenMarks(document, 'sweep', sweepMarkdown(results))
  if (json) console.log(JSON.stringify(summary))
  return summary.failures.length === 0
}

async function runShrink({ shrink: seed, mutate, rounds, out }: Options): Promise<boolean> {
  const { runScenario } = await loadSubject(mutate)
  const scenario = drawScenario(seed!, rounds)
  if (runScenario(scenario).failure === undefined) {
    tell(`seed ${seed} does not fail: nothing to shrink`)
    return true
  }
  const result = await shrink(scenario, mutate, ({ members, rounds: left, faulty }) =>
    tell(`simpler: ${members} members, ${faulty.length} faulty, ${left} rounds`)
  )
  const text = `${JSON.stringify(result, null, 2)}\n`
  if (out === undefined) console.log(text)
  else writeFileSync(out, text)
  tell(`${result.invariant}: ${result.scenario.members} members, ${result.scenario.rounds} rounds`)
  return false
}

if (options.shrink !== undefined) process.exit((await runShrink(options)) ? 0 : 1)
const isFine = options.mutants ? await mutantTable(options, tell) : await runSweep(options)
process.exitCode = isFine ? 0 : 1
