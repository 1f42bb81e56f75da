/**
 * Weights of base models: files read tensor by tensor, and the formats in which a graph is fed with them.
 *
 * @example
 * ```ts
 * const weights = loadHeldWeights('models/mine', config, 'int8') // never whole in float32
 * const linear = openBaseWeights('models/mine') // by rows, from the files
 * ```
 */

export { BASE_FORMATS, type BaseFormat } from './base-format.ts'
export { checkWeights } from './check-weights.ts'
export {
  type HeldWeights,
  heldBytes,
  holdWeights,
  loadHeldWeights,
  replaceHeldWeights
} from './held-weights.ts'
export { type LinearWeights, openBaseWeights, openModuleWeights } from './linear-weights.ts'
export { openParameters, weightFiles } from './parameter-files.ts'
export { openWeightFile } from './weight-file.ts'
export { writtenTensors } from './written-tensors.ts'
