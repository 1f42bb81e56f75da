import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { Command, InvalidArgumentError } from 'commander'
import {
  ALL_EXECUTORS,
  EXECUTOR_NAMES,
  type ExecutorDevice,
  type ExecutorName
} from '../../src/model/executor/choice.ts'
import { probeExecutor } from '../../src/model/executor/probe/index.ts'
import { median } from '../support/median.ts'
import { positiveInteger } from '../support/options.ts'
import { runJson } from '../support/run-json.ts'
import { type BenchShape, benchShapes } from '../train/shapes.ts'
import type { StepMeasurement } from './step-process.ts'

interface BenchOptions {
  readonly shape: BenchShape
  readonly executor?: ExecutorName
  readonly all: boolean
  readonly threads: number
  readonly runs: number
  readonly steps: number
  readonly json: boolean
}

/** One executor on one device. `ms` and `rssMB` are medians over the runs. */
interface ExecutorRow extends ExecutorDevice {
  readonly shape: string
  readonly threads: number
  /** Milliseconds a step. */
  readonly ms: number
  /** As a multiple of onnxruntime's step on the processor; null if that was left out. */
  readonly ratio: number | null
  /** Peak resident memory, MB. */
  readonly rssMB: number
  /** Loss of the last step: the executors agree on it. */
  readonly loss: number
}

const shapes = benchShapes()
const program = new Command('npm run bench -- executors')
  .description(
    'Times the same LoRA training step (rank 8 on q and v, random weights) on every executor that works here, in ' +
      'processes that take turns.'
  )
  .option('--shape <name>', shapes.map(({ name }) => name).join(', '), shapeNamed, shapes[0])
  .option('--executor <name>', 'only this executor, on all its devices', executorNamed)
  .option('--all', 'also plain JavaScript (tfjs on cpu): one to two minutes per process', false)
  .option('--threads <n>', 'number of threads, if the executor can set it', positiveInteger, 1)
  .option('--runs <n>', 'processes per executor', positiveInteger, 3)
  .option('--steps <n>', 'measured steps per process, after one warm-up step', positiveInteger, 2)
  .option('--json', 'print one JSON object on the last line, everything else on stderr', false)
  .addHelpText(
    'after',
    `
Examples:
  npm run bench -- executors
  npm run bench -- executors --shape 15M --threads 2 --json`
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const options = program.opts<BenchOptions>()
const say = options.json ? console.error : console.log
const { shape, threads } = options

const working: ExecutorDevice[] = []
for (const each of ALL_EXECUTORS) {
  if (options.executor !== undefined && each.executor !== options.executor) continue
  if (!options.all && each.executor === 'tfjs' && each.device === 'cpu') {
    say('tfjs on cpu is left out: it is plain JavaScript, and slow (--all includes it)')
    continue
  }
  const { works, reason } = await probeExecutor(each)
  if (works) working.push(each)
  else say(`${each.executor} on ${each.device} is left out: ${reason}`)
}

const measured = working.map((): StepMeasurement[] => [])
for (let run = 1; run <= options.runs; run++) {
  for (const [index, each] of working.entries()) {
    const found = await measure(each)
    measured[index]!.push(found)
    say(`run ${run}: ${each.executor} on ${each.device}, ${found.ms.toFixed(0)} ms a step`)
  }
}
const rows = rowsOf()
say(table(rows))
if (options.json) console.log(JSON.stringify({ rows }))

async function measure({ executor, device }: ExecutorDevice): Promise<StepMeasurement> {
  const entry = fileURLToPath(new URL('./step-process.js', import.meta.url))
  const args = [entry, shape.name, executor, device, `${threads}`, `${options.steps}`]
  return (await runJson(process.execPath, args)) as StepMeasurement
}

function rowsOf(): ExecutorRow[] {
  const medians = measured.map((runs) => median(runs.map(({ ms }) => ms)))
  const standard = working.findIndex(({ executor, device }) => executor === 'onnxruntime' && device === 'cpu')
  return working.map((each, index) => ({
    ...each,
    shape: shape.name,
    threads,
    ms: medians[index]!,
    ratio: standard < 0 ? null : medians[index]! / medians[standard]!,
    rssMB: median(measured[index]!.map(({ rssMB }) => rssMB)),
    loss: measured[index]!.at(-1)!.loss
  }))
}

function table(lines: readonly ExecutorRow[]): string {
  const text = new Table({
    head: ['executor', 'device', 'ms per step', 'ratio', 'MB', 'loss'],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right']
  })
  for (const { executor, device, ms, ratio, rssMB, loss } of lines)
    text.push([executor, device, ms.toFixed(0), ratio?.toFixed(1) ?? '-', rssMB.toFixed(0), loss.toFixed(5)])
  const title = `${shape.name} (${shape.what}), batch ${shape.batchSize} x ${shape.sequenceLength}, threads: ${threads}`
  return `${title}\n${text}`
}

function shapeNamed(text: string): BenchShape {
  const found = shapes.find(({ name }) => name === text)
  if (!found) throw new InvalidArgumentError(`give one of ${shapes.map(({ name }) => name).join(', ')}`)
  return found
}

function executorNamed(text: string): ExecutorName {
  const found = EXECUTOR_NAMES.find((name) => name === text)
  if (!found) throw new InvalidArgumentError(`give one of ${EXECUTOR_NAMES.join(', ')}`)
  return found
}
