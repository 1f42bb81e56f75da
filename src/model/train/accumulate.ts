import type { TrainingBatch } from '../../data/packing/training-batch.ts'
import type { FeedValue } from '../executor/index.ts'
import type { DropoutDraw } from '../lora/dropout.ts'
import type { StepResult, TrainStep } from './train-step.ts'

/**
 * Loss and gradients over several batches as if they were one: the weighted mean over all their targets. The gradients
 * of a single batch are passed through without a copy.
 *
 * @param dropout seed and step of the dropout masks, if any
 */
export async function accumulateStep(
  trainStep: TrainStep,
  parameters: ReadonlyMap<string, FeedValue>,
  batches: readonly TrainingBatch[],
  dropout?: Omit<DropoutDraw, 'batch'>
): Promise<StepResult> {
  const [first, ...others] = batches
  if (!first) throw new Error('a training step needs a batch')
  if (others.length === 0)
    return trainStep.step(parameters, first, undefined, dropout && { ...dropout, batch: 0 })
  const totalWeight = batches.reduce((sum, { targetWeights }) => sum + weightOf(targetWeights), 0)
  let loss = 0
  const sums = new Map<string, Float32Array>()
  for (const [index, batch] of batches.entries()) {
    const draw = dropout && { ...dropout, batch: index }
    const result = await trainStep.step(parameters, batch, totalWeight, draw)
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
