/**
 * IEEE 754 binary16 and bfloat16 as bit patterns. Node 20 has no Float16Array, and no version has an array of bfloat16.
 */

const scratchFloat = new Float32Array(1)
const scratchBits = new Uint32Array(scratchFloat.buffer)

/** The exact value of a binary16, given its bits. */
export function float16ToFloat32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** Bits of the binary16 nearest to a float32, ties to even; too large a value becomes infinity. */
export function float32ToFloat16(value: number): number {
  scratchFloat[0] = value
  const bits = scratchBits[0]!
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  // 65520 is half-way between the largest binary16 and the next step: it rounds (to even) to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude < 0x38800000) {
    // Below 2^-14 the result is subnormal: an integer multiple of 2^-24, and the scaling is exact in float64.
    return sign | roundTiesToEven(Math.abs(value) * 2 ** 24)
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
  return sign | ((rounded - 0x38000000) >>> 13)
}

/** The exact value of a bfloat16, given its bits. */
export function bfloat16ToFloat32(bits: number): number {
  scratchBits[0] = bits << 16
  return scratchFloat[0]!
}

/** Bits of the bfloat16 nearest to a float32, ties to even. */
export function float32ToBfloat16(value: number): number {
  scratchFloat[0] = value
  const bits = scratchBits[0]!
  // A NaN whose payload lies in the lower half alone would turn into infinity: set the quiet bit.
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
}

function roundTiesToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1
  return floor
}
