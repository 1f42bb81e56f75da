import { fileURLToPath } from 'node:url'
import { loadBaseModel } from '../../src/model/index.ts'
import { loadCorpus } from '../experiments/corpus.ts'
import { createLocalTrainer } from '../experiments/local-training.ts'
import { createMembers } from '../experiments/members.ts'
import { freshAdapter } from '../experiments/methods.ts'
import { experimentSettings } from '../experiments/settings.ts'
import { answerParent, inChild } from '../processes/in-child.ts'

import { trainingFlopsPerToken } from './training-flops.ts'

/** The cost of a model's LoRA step. */
export interface FineTuningCost {
  /** Floating-point operations per token: forward, and backward to the activations and the factors. */
  readonly flopsPerToken: number
  readonly peakMB: number
  readonly msPerStep: number
}

interface Task {
  readonly folder: string
  readonly rank: number
}

const STEPS = 6

/** Runs some steps in a separate process. */
export async function fineTuningCost(folder: string, rank: number): Promise<FineTuningCost> {
  const { result, peakMB } = await inChild<Omit<FineTuningCost, 'peakMB'>>(fileURLToPath(import.meta.url), {
    folder,
    rank
  })
  return { ...result, peakMB }
}

async function work({ folder, rank }: Task): Promise<Omit<FineTuningCost, 'peakMB'>> {
  const base = loadBaseModel(folder)
  const settings = {
    ...experimentSettings(base, false),
    members: 1,
    targetModules: ['all-linear'],
    sequenceLength: 128
  }
  const [member] = createMembers(base, await loadCorpus(base, settings), 'domain', 1, settings)
  const trainer = createLocalTrainer(base, settings)
  const session = trainer.begin(base.weights, freshAdapter(base, settings, rank, 1))
  // The first step compiles.
  await session.advance(1, (step) => member!.batches.nextBatch(step))
  const begun = performance.now()
  await session.advance(STEPS, (step) => member!.batches.nextBatch(step))
  const msPerStep = (performance.now() - begun) / STEPS
  await trainer.dispose()
  return { flopsPerToken: trainingFlopsPerToken(base.config, rank), msPerStep }
}

answerParent(work)
