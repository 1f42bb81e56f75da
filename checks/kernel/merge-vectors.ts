import { createHash } from 'node:crypto'
import type { WeightData, WeightDtype } from '../../src/adapter/kernel/weight-data.ts'
import { float32ToBfloat16, float32ToFloat16 } from '../../src/formats/elements/half-floats.ts'

/** The kind of numbers in a vector. */
export type VectorValues = 'ordinary' | 'tiny' | 'wide' | 'signed-zero'

/** A merge whose result's digest is committed. */
export interface MergeVector {
  readonly seed: number
  readonly rows: number
  readonly columns: number
  readonly rank: number
  readonly dtype: WeightDtype
  readonly values: VectorValues
  /** SHA-256 of the merged weight's little-endian bytes, 64 lowercase hex digits. */
  readonly sha256: string
}

/** The inputs of a vector's merge. */
export interface MergeInputs {
  readonly weight: WeightData
  readonly A: Float32Array
  readonly B: Float32Array
}

/** The inputs of a vector: weight, then A, then B, from one sequence of whole numbers (docs/vectors/README.md). */
export function mergeInputs({
  seed,
  rows,
  columns,
  rank,
  dtype,
  values
}: Omit<MergeVector, 'sha256'>): MergeInputs {
  const next = xorshift32(seed)
  const make = (length: number) => Float32Array.from({ length }, () => VALUES[values](next))
  const weight = make(rows * columns)
  const A = make(rank * columns)
  const B = make(rows * rank)
  const narrow = dtype === 'f16' ? float32ToFloat16 : float32ToBfloat16
  return { weight: dtype === 'f32' ? weight : Uint16Array.from(weight, narrow), A, B }
}

/** Digest of a merged weight. */
export function weightSha256(weight: WeightData): string {
  const view = new DataView(new ArrayBuffer(weight.byteLength))
  const isFull = weight instanceof Float32Array
  for (let i = 0; i < weight.length; i++) {
    if (isFull) view.setFloat32(4 * i, weight[i]!, true)
    else view.setUint16(2 * i, weight[i]!, true)
  }
  return createHash('sha256').update(new Uint8Array(view.buffer)).digest('hex')
}

/** Every step is exact in float32, so that the inputs do not depend on a language's rounding. */
const VALUES: Readonly<Record<VectorValues, (next: () => number) => number>> = {
  ordinary: fraction,
  tiny: (next) => fraction(next) * 2 ** -70,
  wide: (next) => fraction(next) * 2 ** ((next() % 41) - 20),
  'signed-zero': (next) => (next() % 4 === 0 ? fraction(next) : next() % 2 === 0 ? 0 : -0)
}

/** A multiple of 2^-23 in [-1, 1). */
function fraction(next: () => number): number {
  return (next() >>> 8) / 2 ** 23 - 1
}

/** Marsaglia's xorshift32 (13, 17, 5): the next state is the next number. */
function xorshift32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state
  }
}
