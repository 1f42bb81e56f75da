import {
  type BaseModelDescription,
  describeBaseModel,
  type HeldWeights,
  loadHeldWeights,
  replaceHeldWeights
} from '../../../model/index.ts'
import type { TrainingJob } from './training-job.ts'

/** Which weights a job starts from, and how they are held. */
type WeightsWanted = Pick<TrainingJob, 'baseFolder' | 'modelFile' | 'training'>

/** One copy of the weights, kept over the rounds: what a round merged is read into the place of what was there. */
export interface HeldBase {
  describe(folder: string): BaseModelDescription
  /** The weights that a job starts from; they are overwritten when another job's are asked for. */
  weights(job: WeightsWanted): HeldWeights
  /** Whether the weights are still those of a job. */
  holds(job: WeightsWanted): boolean
}

/** A copy that is read with the first job. */
export function createHeldBase(): HeldBase {
  let description: BaseModelDescription | undefined
  let held:
    | { readonly weights: HeldWeights; readonly key: string; readonly modelFile: string | undefined }
    | undefined
  const describe = (folder: string): BaseModelDescription => {
    if (description?.folder !== folder) description = describeBaseModel(folder)
    return description
  }
  return {
    describe,
    weights(job) {
      const { baseFolder, modelFile, training } = job
      const { config } = describe(baseFolder)
      const key = keyOf(job)
      const before = held
      // Whatever fails below leaves nothing half replaced behind.
      held = undefined
      const isAnother = before?.key !== key || (modelFile === undefined && before.modelFile !== undefined)
      let weights = isAnother ? loadHeldWeights(baseFolder, config, training.baseFormat) : before.weights
      if (modelFile !== undefined && (isAnother || before.modelFile !== modelFile))
        weights = replaceHeldWeights(weights, config, modelFile)
      held = { weights, key, modelFile }
      return weights
    },
    holds: (job) => held !== undefined && held.key === keyOf(job) && held.modelFile === job.modelFile
  }
}

function keyOf({ baseFolder, training }: WeightsWanted): string {
  return JSON.stringify([baseFolder, training.baseFormat])
}
