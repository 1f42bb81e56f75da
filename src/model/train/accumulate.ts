import type { TrainingBatch } from '../../data/training-batch.ts'
import type { StepResult, TrainStep } from './train-step.ts'

/**
 * Loss and gradients over several batches as if they were one: the weighted mean over all their targets. The gradients
 * of a single batch are handed through without a copy.
 */
export async function accumulateStep(
  trainStep: TrainStep,
  parameters: ReadonlyMap<string, Float32Array>,
  batches: readonly TrainingBatch[]
): Promise<StepResult> {
  const [first, ...others] = batches
  if (!first) throw new Error('a training step needs a batch')
  if (others.length === 0) return trainStep.step(parameters, first)
  const totalWeight = batches.reduce((sum, { targetWeights }) => sum + weightOf(targetWeights), 0)
  let loss = 0
  const sums = new Map<string, Float32Array>()
  for (const batch of batches) {
    const result = await trainStep.step(parameters, batch, totalWeight)
    loss += result.loss
    for (const [name, gradient] of result.gradients) {
      const sum = sums.get(name)
      if (!sum) sums.set(name, gradient.slice())
      else for (let index = 0; index < sum.length; index++) sum[index] = sum[index]! + gradient[index]!
    }
  }
  return { loss, gradients: sums }
}

function weightOf(weights: Float32Array): number {
  return weights.reduce((total, weight) => total + weight, 0)
}
