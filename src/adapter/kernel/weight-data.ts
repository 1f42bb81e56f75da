/** Element format of base weights: float32 as numbers, binary16 and bfloat16 as their bits. */
export type WeightDtype = 'f32' | 'f16' | 'bf16'

/** Weights, row-major: a `Float32Array` for `f32`, a `Uint16Array` of bits for the others. */
export type WeightData = Float32Array | Uint16Array
