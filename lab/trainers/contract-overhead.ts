import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHomeFolders, homeAt } from '../../src/node/home/home.ts'
import { createTrainer } from '../../src/node/workers/trainer/trainer.ts'
import type { TrainingJob } from '../../src/node/workers/trainer/training-job.ts'

/** Number of measured trainings of each kind. */
const REPEATS = 5

/**
 * Measures what the contract adds to a training: alternates between calling Loam's engine directly and through the
 * contract.
 *
 * @param job without a trainer
 * @param command of `loam trainer`
 * @returns the relative difference between the medians of the training times; may be below 0 by chance
 */
export async function contractOverhead(job: TrainingJob, command: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'loam-overhead-'))
  const home = homeAt(folder).folder
  await createHomeFolders(homeAt(folder))
  const own = {
    ...job,
    home,
    localPath: join(home, 'local.safetensors'),
    residualPath: join(home, 'residual')
  }
  const trainer = createTrainer()
  const direct: number[] = []
  const behind: number[] = []
  try {
    // The first training of each kind includes compiling the step and loading the weights.
    for (let turn = 0; turn <= REPEATS; turn++)
      for (const [seconds, external] of [
        [direct, undefined],
        [behind, { trainer: command, deadline: Date.now() + 3_600_000 }]
      ] as const) {
        const began = performance.now()
        await trainer.train({ ...own, external }, () => undefined, new AbortController().signal)
        if (turn > 0) seconds.push(performance.now() - began)
      }
    return median(behind) / median(direct) - 1
  } finally {
    await trainer.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
