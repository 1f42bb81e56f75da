import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import type { AdamW } from './adamw.ts'

/**
 * The complete state of a trainer: trained weights under `weights/`, Adam's moments under `first-moments/` and
 * `second-moments/`, ready for a safetensors file.
 */
export interface TrainerState {
  /** Updates done. */
  readonly step: number
  readonly tensors: TensorMap
}

/** The tensors of a state, without a copy. */
export function stateTensors(trained: TensorMap, optimizer: AdamW): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>()
  for (const [name, { shape, data }] of trained) {
    tensors.set(`weights/${name}`, { shape, data })
    tensors.set(`first-moments/${name}`, { shape, data: optimizer.firstMoments.get(name)! })
    tensors.set(`second-moments/${name}`, { shape, data: optimizer.secondMoments.get(name)! })
  }
  return tensors
}

/**
 * Copies a state into `targets`.
 *
 * @throws {Error} when a tensor is missing or has another shape; nothing is changed then
 */
export function restoreTensors(targets: TensorMap, tensors: TensorMap): void {
  for (const [name, { shape }] of targets) {
    const found = tensors.get(name)?.shape
    if (`${found}` !== `${shape}`)
      throw new Error(`the state's ${name} has shape [${found}], wanted [${shape}]`)
  }
  for (const [name, { data }] of targets) data.set(tensors.get(name)!.data)
}
