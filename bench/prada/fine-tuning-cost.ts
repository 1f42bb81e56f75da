import { fileURLToPath } from 'node:url'
import { loadCorpus } from '../../lab/experiments/corpus.ts'
import { createLocalTrainer } from '../../lab/experiments/local-training.ts'
import { createMembers } from '../../lab/experiments/members.ts'
import { freshAdapter } from '../../lab/experiments/methods.ts'
import { experimentSettings } from '../../lab/experiments/settings.ts'
import { linearModules, loadBaseModel } from '../../src/model/index.ts'
import { answerParent, inChild } from '../support/in-child.ts'

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
  return { flopsPerToken: flopsPerToken(base.config, rank), msPerStep }
}

/**
 * Two operations per weight and token forward, and two backward to the activations; the base's weights are frozen.
 * Factors take six. Attention's own products are left out: at these lengths they are a few per cent.
 */
function flopsPerToken(config: Parameters<typeof linearModules>[0], rank: number): number {
  const modules = [...linearModules(config).values()]
  const base = modules.reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0)
  const factors = modules.reduce(
    (sum, { inFeatures, outFeatures }) => sum + rank * (inFeatures + outFeatures),
    0
  )
  const head = config.vocabularySize * config.hiddenSize
  return 4 * (base + head) + 6 * factors
}

answerParent(work)
