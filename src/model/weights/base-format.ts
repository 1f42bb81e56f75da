/** Formats of frozen base weights in memory. */
export const BASE_FORMATS = ['f32', 'f16', 'int8', 'int4'] as const

/**
 * The format of frozen base weights in memory. With `int8` and `int4` the weights of linear modules are quantised in
 * blocks, and the embedding table and the head are float16; norms and biases are always float32. All are derived from
 * the canonical weights and enter no digest.
 */
export type BaseFormat = (typeof BASE_FORMATS)[number]
