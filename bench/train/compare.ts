import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageRoot } from '../../src/package-root.ts'
import { median } from '../support/median.ts'
import { runJson } from '../support/run-json.ts'
import type { Torch } from '../support/torch.ts'
import { type Measurement, WARM_UP_STEPS } from './measurement.ts'
import type { BenchShape } from './shapes.ts'

/** Largest difference of a step's two losses, nats. */
export const LOSS_AGREEMENT = 1e-4

/** One line of the table; the torch fields are absent where PyTorch is. */
export interface TrainRow {
  readonly shape: string
  readonly threads: number
  readonly executor: string
  /** Median time of a step. */
  readonly ms: number
  readonly torchMs?: number
  /** Shortest step of all runs, on either side. */
  readonly bestMs: number
  readonly torchBestMs?: number
  /** ms / torchMs */
  readonly ratio?: number
  readonly rssMB: number
  readonly torchRssMB?: number
  /** rssMB / torchRssMB */
  readonly rssRatio?: number
  readonly tokensPerSecond: number
  /** Share of a step outside the executor. */
  readonly outsideShare: number
  readonly runs: number
  /** Loss of the first step, and the largest difference over all steps. */
  readonly loss: number
  readonly lossDifference?: number
}

/** Options of a comparison. */
export interface CompareOptions {
  readonly shape: BenchShape
  /** Folder of the problem. */
  readonly folder: string
  readonly threads: number
  readonly runs: number
  readonly torch: Torch | undefined
  readonly onRun: (text: string) => void
}

/**
 * Runs Loam and PyTorch in turn, each time in a new process, and takes the medians of the runs.
 *
 * @throws {Error} when the two do not compute the same losses
 */
export async function compareTraining(options: CompareOptions): Promise<TrainRow> {
  const { shape, threads, runs, torch } = options
  const ours: Measurement[] = []
  const theirs: Measurement[] = []
  for (let run = 0; run < runs; run++) {
    ours.push(await runLoam(options))
    if (torch) theirs.push(await runTorch(options, torch))
    const side = theirs.length ? `, PyTorch ${median(theirs.at(-1)!.stepMs).toFixed(1)} ms` : ''
    options.onRun(
      `${shape.name}, threads ${threads}, run ${run + 1} of ${runs}: Loam ${median(ours.at(-1)!.stepMs).toFixed(1)} ms${side}`
    )
  }
  const ms = median(ours.map(({ stepMs }) => median(stepMs)))
  const rssMB = median(ours.map((measurement) => measurement.rssMB))
  const outsideMs = median(ours.map((measurement) => measurement.outsideMs!))
  const loss = ours[0]!.losses[0]!
  const row = {
    shape: shape.name,
    threads,
    executor: 'onnxruntime',
    ms,
    bestMs: shortest(ours),
    rssMB,
    tokensPerSecond: (shape.batchSize * shape.sequenceLength * 1e3) / ms,
    outsideShare: outsideMs / ms,
    runs,
    loss
  }
  if (!theirs.length) return row
  const lossDifference = largestDifference(ours, theirs)
  if (!(lossDifference <= LOSS_AGREEMENT)) {
    throw new Error(
      `${shape.name}: the losses differ by ${lossDifference}: Loam ${ours[0]!.losses}, PyTorch ${theirs[0]!.losses}`
    )
  }
  const torchMs = median(theirs.map(({ stepMs }) => median(stepMs)))
  const torchRssMB = median(theirs.map((measurement) => measurement.rssMB))
  return {
    ...row,
    torchMs,
    torchBestMs: shortest(theirs),
    ratio: ms / torchMs,
    torchRssMB,
    rssRatio: rssMB / torchRssMB,
    lossDifference
  }
}

async function runLoam({ folder, threads, shape }: CompareOptions): Promise<Measurement> {
  const script = fileURLToPath(new URL('loam-process.js', import.meta.url))
  const args = [script, folder, String(threads), String(shape.steps)]
  return (await runJson(process.execPath, args)) as Measurement
}

async function runTorch({ folder, threads, shape }: CompareOptions, torch: Torch): Promise<Measurement> {
  const script = join(packageRoot(), 'bench', 'train', 'torch_process.py')
  const args = [script, folder, String(threads), String(WARM_UP_STEPS), String(shape.steps)]
  return (await runJson(torch.python, args, torch.environment(threads))) as Measurement
}

function shortest(measurements: readonly Measurement[]): number {
  return Math.min(...measurements.flatMap(({ stepMs }) => stepMs))
}

function largestDifference(ours: readonly Measurement[], theirs: readonly Measurement[]): number {
  const all = [...ours, ...theirs].map(({ losses }) => losses)
  return Math.max(
    ...all[0]!.map((_, step) => {
      const values = all.map((losses) => losses[step]!)
      return Math.max(...values) - Math.min(...values)
    })
  )
}
