import {
  type BaseModelDescription,
  describeBaseModel,
  type HeldWeights,
  loadHeldWeights,
  replaceHeldWeights
} from '../../../model/index.ts'
import type { TrainingConfig } from '../../config/index.ts'
import type { TrainingJob } from './training-job.ts'

/** The weights that a job starts from, and their format in memory. */
type WeightsWanted = Pick<TrainingJob, 'baseFolder' | 'modelFile'> & {
  readonly training: Pick<TrainingConfig, 'baseFormat'>
}

/** One copy of the weights, kept across rounds: the modules merged by a round replace the previous ones in place. */
export interface HeldBase {
  describe(folder: string): BaseModelDescription
  /** The weights that a job starts from; they are overwritten when another job's are requested. */
  weights(job: WeightsWanted): HeldWeights
  /** Whether the weights are still those of a job. */
  holds(job: WeightsWanted): boolean
}

/** A copy that is loaded with the first job. */
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
      // A failure below must not leave half-replaced weights behind.
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
