import { type ElementFormat, rangeFault, type TensorMap } from '../../formats/index.ts'
import { PeerError } from '../storage/peer-error.ts'

/** Refuses to write a tensor with an element that would become infinity, or is not finite. @throws {PeerError} naming it */
export function requireRange(tensors: TensorMap, dtype: ElementFormat): void {
  for (const [name, { data }] of tensors) {
    const fault = rangeFault(data, dtype)
    if (fault === undefined) continue
    const cure =
      dtype === 'F16' ? 'write it with --dtype bf16 or f32' : 'the adapter does not fit, or had diverged'
    throw new PeerError(`${name} ${fault}: ${cure}`)
  }
}
