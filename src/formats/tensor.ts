/** A dense row-major float32 tensor as a value. */
export interface Tensor {
  /** Extent of every dimension, outermost first. */
  readonly shape: readonly number[]
  /** Row-major elements; its length is the product of `shape`. */
  readonly data: Float32Array
}

/** Tensors by name. */
export type TensorMap = ReadonlyMap<string, Tensor>
