import type { TensorMap } from '../../formats/tensor.ts'
import { type ModelConfig, parameterShapes, UnsupportedModelError } from '../families/index.ts'

/**
 * Checks that `weights` contain every parameter of the model with its shape.
 *
 * @param source their source, for the message
 * @throws {UnsupportedModelError} naming the tensor and both shapes
 */
export function checkWeights(config: ModelConfig, weights: TensorMap, source: string): void {
  for (const [name, shape] of parameterShapes(config))
    checkShape(source, name, weights.get(name)?.shape, shape)
}

/**
 * Checks one tensor.
 *
 * @param found its shape; undefined if it is missing
 * @param wanted the shape according to config.json; undefined if the model has no such parameter
 * @throws {UnsupportedModelError} naming the tensor and both shapes
 */
export function checkShape(
  source: string,
  name: string,
  found: readonly number[] | undefined,
  wanted: readonly number[] | undefined
): void {
  if (wanted === undefined) throw new UnsupportedModelError(`${source}: the model has no parameter ${name}`)
  if (found === undefined)
    throw new UnsupportedModelError(`${source}: ${name} is missing, but config.json specifies [${wanted}]`)
  if (`${found}` !== `${wanted}`)
    throw new UnsupportedModelError(
      `${source}: ${name} has shape [${found}], but config.json specifies [${wanted}]`
    )
}
