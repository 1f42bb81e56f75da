import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16
} from '../../formats/elements/half-floats.ts'
import type { WeightData, WeightDtype } from './weight-data.ts'

const same = (value: number): number => value
const WIDEN = { f32: same, f16: float16ToFloat32, bf16: bfloat16ToFloat32 } as const
const NARROW = { f32: same, f16: float32ToFloat16, bf16: float32ToBfloat16 } as const

/**
 * The definition of the merge, element by element (docs/spec/aggregation.md). The kernel must give the same bits on any
 * number of threads.
 *
 * @param weight [rows, columns]; not changed
 * @param B [rows, rank]
 * @param A [rank, columns]
 */
export function mergeReference<W extends WeightData>(
  weight: W,
  B: Float32Array,
  A: Float32Array,
  rank: number,
  dtype: WeightDtype = 'f32'
): W {
  const merged = weight.slice() as W
  const columns = A.length / rank
  for (let i = 0; i < weight.length; i++) {
    const row = Math.floor(i / columns)
    let sum = 0
    for (let k = 0; k < rank; k++) {
      const product = Math.fround(B[row * rank + k]! * A[k * columns + (i % columns)]!)
      sum = Math.fround(sum + product)
    }
    merged[i] = NARROW[dtype](Math.fround(WIDEN[dtype](weight[i]!) + sum))
  }
  return merged
}
