import { float32Bytes, float32FromBytes } from '../../formats/elements/little-endian.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import type { LoraPair } from '../pair/lora-adapter.ts'

/** Largest magnitude of a quantised element. */
const LEVELS = 127
/** Largest step whose product with 127 is still a float32. */
const STEP_MAX = Math.fround((3.4028234663852886e38 / LEVELS) * (1 - 2 ** -23))

/** The shape of a pair, from which its byte layout follows. */
type PairShape = Pick<LoraPair, 'module' | 'rank' | 'inFeatures' | 'outFeatures'>

/**
 * A pair as signed bytes with one float32 step for every row of A and every column of B, so that each rank-one term
 * keeps its own size: rank steps of A, rank steps of B, A [rank, in], B [out, rank]. A step is the largest magnitude
 * over 127, rounded to float32; elements are rounded to nearest, ties to even.
 */
export function int8FromFactors({ rank, inFeatures, outFeatures, A, B }: LoraPair): Uint8Array {
  const steps = new Float32Array(2 * rank)
  for (let i = 0; i < A.length; i++) raise(steps, Math.floor(i / inFeatures), A[i]!)
  for (let i = 0; i < B.length; i++) raise(steps, rank + (i % rank), B[i]!)
  for (let k = 0; k < steps.length; k++) steps[k] = Math.min(steps[k]! / LEVELS, STEP_MAX)
  const levels = new Int8Array(rank * (inFeatures + outFeatures))
  for (let i = 0; i < A.length; i++) levels[i] = levelOf(A[i]!, steps[Math.floor(i / inFeatures)]!)
  for (let i = 0; i < B.length; i++) levels[A.length + i] = levelOf(B[i]!, steps[rank + (i % rank)]!)
  const bytes = new Uint8Array(4 * steps.length + levels.length)
  bytes.set(float32Bytes(steps))
  bytes.set(new Uint8Array(levels.buffer), 4 * steps.length)
  return bytes
}

/**
 * Decodes what {@link int8FromFactors} encodes. Each element is one float32 multiplication, level times step: the same
 * bits on every machine.
 *
 * @param bytes {@link int8ByteLength} of them
 * @throws {AdapterError} when a step is negative, NaN or infinite, or a level is beyond ±127
 */
export function factorsFromInt8(
  { module, rank, inFeatures, outFeatures }: PairShape,
  bytes: Uint8Array
): Pick<LoraPair, 'A' | 'B'> {
  const steps = float32FromBytes(bytes.subarray(0, 8 * rank))
  if (!steps.every((step) => step >= 0 && Number.isFinite(step)))
    throw new AdapterError(`${module}: an int8 step is negative or not finite`)
  const levels = new Int8Array(bytes.buffer, bytes.byteOffset + 8 * rank, bytes.length - 8 * rank)
  if (levels.includes(-LEVELS - 1)) throw new AdapterError(`${module}: an int8 level is beyond ±${LEVELS}`)
  const A = new Float32Array(rank * inFeatures)
  const B = new Float32Array(outFeatures * rank)
  for (let i = 0; i < A.length; i++) A[i] = levels[i]! * steps[Math.floor(i / inFeatures)]!
  for (let i = 0; i < B.length; i++) B[i] = levels[A.length + i]! * steps[rank + (i % rank)]!
  return { A, B }
}

/** Bytes of a pair as {@link int8FromFactors} writes it. */
export function int8ByteLength({ rank, inFeatures, outFeatures }: Omit<PairShape, 'module'>): number {
  return rank * (8 + inFeatures + outFeatures)
}

function raise(largest: Float32Array, k: number, value: number): void {
  const size = Math.abs(value)
  if (size > largest[k]!) largest[k] = size
}

function levelOf(value: number, step: number): number {
  // If all are smaller than 127 times the smallest subnormal, the step would round to 0.
  if (step === 0) return 0
  const level = roundTiesToEven(value / step)
  return Math.max(-LEVELS, Math.min(LEVELS, level))
}

function roundTiesToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor
}
