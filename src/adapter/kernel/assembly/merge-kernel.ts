/**
 * The canonical merge kernel (AssemblyScript): W + B·A over rows packed in memory. Non-relaxed SIMD is deterministic,
 * and no instruction here fuses a multiplication with an addition, so every processor gives the same bits.
 * `merge-kernel.ts`, one folder up, lays out the memory.
 */

/** Bytes in a row of a tile: eight float32. */
const TILE_ROW_BYTES: usize = 32
/** Bytes of the four elements of B that meet one row of A in a tile. */
const TILE_COLUMN_BYTES: usize = 16

/**
 * weight += B·A for `tiles` tiles of 4 rows and `panels` panels of 8 columns. Eight accumulators: with ten or more, V8
 * spills. A panel meets every tile before the next: it and the tiles' part of B stay in the first-level cache.
 *
 * @param a A packed by panels: [panel][rank][8]
 * @param b B packed by tiles: [tile][rank][4]
 * @param weight float32 rows, `stride` bytes apart
 */
export function addTiles(
  a: usize,
  b: usize,
  weight: usize,
  rank: usize,
  tiles: usize,
  panels: usize,
  stride: usize
): void {
  const panelBytes = rank * TILE_ROW_BYTES
  for (let panel: usize = 0; panel < panels; panel++) {
    const end = a + panelBytes
    let column = b
    let target = weight
    for (let tile: usize = 0; tile < tiles; tile++) {
      let s0 = f32x4.splat(0)
      let s1 = f32x4.splat(0)
      let s2 = f32x4.splat(0)
      let s3 = f32x4.splat(0)
      let s4 = f32x4.splat(0)
      let s5 = f32x4.splat(0)
      let s6 = f32x4.splat(0)
      let s7 = f32x4.splat(0)
      for (let row = a; row < end; row += TILE_ROW_BYTES) {
        const left = v128.load(row)
        const right = v128.load(row, 16)
        const b0 = v128.load32_splat(column)
        s0 = f32x4.add(s0, f32x4.mul(b0, left))
        s1 = f32x4.add(s1, f32x4.mul(b0, right))
        const b1 = v128.load32_splat(column, 4)
        s2 = f32x4.add(s2, f32x4.mul(b1, left))
        s3 = f32x4.add(s3, f32x4.mul(b1, right))
        const b2 = v128.load32_splat(column, 8)
        s4 = f32x4.add(s4, f32x4.mul(b2, left))
        s5 = f32x4.add(s5, f32x4.mul(b2, right))
        const b3 = v128.load32_splat(column, 12)
        s6 = f32x4.add(s6, f32x4.mul(b3, left))
        s7 = f32x4.add(s7, f32x4.mul(b3, right))
        column += TILE_COLUMN_BYTES
      }
      let out = target
      v128.store(out, f32x4.add(v128.load(out), s0))
      v128.store(out, f32x4.add(v128.load(out, 16), s1), 16)
      out += stride
      v128.store(out, f32x4.add(v128.load(out), s2))
      v128.store(out, f32x4.add(v128.load(out, 16), s3), 16)
      out += stride
      v128.store(out, f32x4.add(v128.load(out), s4))
      v128.store(out, f32x4.add(v128.load(out, 16), s5), 16)
      out += stride
      v128.store(out, f32x4.add(v128.load(out), s6))
      v128.store(out, f32x4.add(v128.load(out, 16), s7), 16)
      target += stride << 2
    }
    a = end
    weight += TILE_ROW_BYTES
  }
}

/**
 * Distributes one row of A, `panels` times 8 float32, over the panels.
 *
 * @param target address of the row in the first panel; the next is `panelBytes` further on
 */
export function packRow(source: usize, target: usize, panels: usize, panelBytes: usize): void {
  for (let panel: usize = 0; panel < panels; panel++) {
    v128.store(target, v128.load(source))
    v128.store(target, v128.load(source, 16), 16)
    source += TILE_ROW_BYTES
    target += panelBytes
  }
}

/** Rearranges `tiles` times 4 rows of B, `rank` float32 each, into tiles: [tile][rank][4]. */
export function packTiles(source: usize, target: usize, tiles: usize, rank: usize): void {
  const rowBytes = rank << 2
  const fours = rank & ~3
  for (let tile: usize = 0; tile < tiles; tile++) {
    let first = source
    let second = first + rowBytes
    let third = second + rowBytes
    let fourth = third + rowBytes
    let k: usize = 0
    for (; k < fours; k += 4) {
      const a = v128.load(first)
      const b = v128.load(second)
      const c = v128.load(third)
      const d = v128.load(fourth)
      const ab = v128.shuffle<u32>(a, b, 0, 4, 1, 5)
      const cd = v128.shuffle<u32>(c, d, 0, 4, 1, 5)
      const abHigh = v128.shuffle<u32>(a, b, 2, 6, 3, 7)
      const cdHigh = v128.shuffle<u32>(c, d, 2, 6, 3, 7)
      v128.store(target, v128.shuffle<u64>(ab, cd, 0, 2))
      v128.store(target, v128.shuffle<u64>(ab, cd, 1, 3), 16)
      v128.store(target, v128.shuffle<u64>(abHigh, cdHigh, 0, 2), 32)
      v128.store(target, v128.shuffle<u64>(abHigh, cdHigh, 1, 3), 48)
      first += 16
      second += 16
      third += 16
      fourth += 16
      target += 64
    }
    for (; k < rank; k++) {
      store<u32>(target, load<u32>(first))
      store<u32>(target, load<u32>(second), 4)
      store<u32>(target, load<u32>(third), 8)
      store<u32>(target, load<u32>(fourth), 12)
      first += 4
      second += 4
      third += 4
      fourth += 4
      target += 16
    }
    source += rowBytes << 2
  }
}

/** Widens `count` binary16 (a multiple of four) at `half` to float32 at `full`: exact. */
export function widenFloat16(half: usize, full: usize, count: usize): void {
  const scale = f32x4.splat(reinterpret<f32>(0x77800000 as u32))
  const special = f32x4.splat(65536)
  for (let i: usize = 0; i < count; i += 4) {
    const bits = v128.load_ext<u16>(half)
    const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13)
    // 2^112 moves the exponent from binary16's bias to float32's, and makes subnormals normal: an exact product.
    const value = f32x4.mul(magnitude, scale)
    const infinite = v128.and(f32x4.ge(value, special), i32x4.splat(0x7f800000))
    const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16)
    v128.store(full, v128.or(v128.or(value, infinite), sign))
    half += 8
    full += 16
  }
}

/** Narrows `count` float32 (a multiple of four) at `full` to binary16 at `half`: to nearest, ties to even. */
export function narrowFloat16(full: usize, half: usize, count: usize): void {
  for (let i: usize = 0; i < count; i += 4) {
    const bits = v128.load(full)
    const magnitude = v128.and(bits, i32x4.splat(0x7fffffff))
    const sign = v128.and(i32x4.shr_u(bits, 16), i32x4.splat(0x8000))
    const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1))
    const rounded = i32x4.add(i32x4.add(magnitude, i32x4.splat(0xfff)), odd)
    let result = i32x4.shr_u(i32x4.sub(rounded, i32x4.splat(0x38000000)), 13)
    // Below 2^-14 the result is an integer multiple of 2^-24, which is the last place of a float32 at 0.5: adding rounds.
    const subnormal = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000))
    result = v128.bitselect(subnormal, result, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)))
    // 65520 is half-way between the largest binary16 and the next step: it rounds (to even) to infinity.
    result = v128.bitselect(i32x4.splat(0x7c00), result, i32x4.ge_s(magnitude, i32x4.splat(0x477ff000)))
    result = v128.bitselect(i32x4.splat(0x7e00), result, i32x4.gt_s(magnitude, i32x4.splat(0x7f800000)))
    storeLowHalves(half, v128.or(result, sign))
    full += 16
    half += 8
  }
}

/** Widens `count` bfloat16 (a multiple of four) at `half` to float32 at `full`: exact. */
export function widenBfloat16(half: usize, full: usize, count: usize): void {
  for (let i: usize = 0; i < count; i += 4) {
    v128.store(full, i32x4.shl(v128.load_ext<u16>(half), 16))
    half += 8
    full += 16
  }
}

/** Narrows `count` float32 (a multiple of four) at `full` to bfloat16 at `half`: to nearest, ties to even. */
export function narrowBfloat16(full: usize, half: usize, count: usize): void {
  for (let i: usize = 0; i < count; i += 4) {
    const bits = v128.load(full)
    const high = i32x4.shr_u(bits, 16)
    const odd = v128.and(high, i32x4.splat(1))
    const rounded = i32x4.shr_u(i32x4.add(i32x4.add(bits, i32x4.splat(0x7fff)), odd), 16)
    const notANumber = i32x4.gt_s(v128.and(bits, i32x4.splat(0x7fffffff)), i32x4.splat(0x7f800000))
    // A NaN's payload may be in the lower half alone: setting the quiet bit keeps it from becoming infinity.
    const quiet = v128.or(high, i32x4.splat(0x40))
    storeLowHalves(half, v128.bitselect(quiet, rounded, notANumber))
    full += 16
    half += 8
  }
}

/** Stores the lower 16 bits of each of four lanes: 8 bytes. */
function storeLowHalves(target: usize, lanes: v128): void {
  const halves = v128.shuffle<u8>(lanes, lanes, 0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13)
  v128.store_lane<u64>(target, halves, 0)
}

/**
 * target = factor · source for `count` float32 (a multiple of four).
 *
 * @returns 1 where every product is finite, else 0
 */
export function scale(source: usize, target: usize, count: usize, factor: f32): i32 {
  const factors = f32x4.splat(factor)
  const begin = target
  let sum0 = f32x4.splat(0)
  let sum1 = f32x4.splat(0)
  let sum2 = f32x4.splat(0)
  let sum3 = f32x4.splat(0)
  const end = source + (count << 2)
  const unrolledEnd = source + ((count << 2) & ~127)
  for (; source < unrolledEnd; source += 128) {
    const p0 = f32x4.mul(factors, v128.load(source))
    const p1 = f32x4.mul(factors, v128.load(source, 16))
    const p2 = f32x4.mul(factors, v128.load(source, 32))
    const p3 = f32x4.mul(factors, v128.load(source, 48))
    v128.store(target, p0)
    v128.store(target, p1, 16)
    v128.store(target, p2, 32)
    v128.store(target, p3, 48)
    sum0 = f32x4.add(sum0, p0)
    sum1 = f32x4.add(sum1, p1)
    sum2 = f32x4.add(sum2, p2)
    sum3 = f32x4.add(sum3, p3)
    const p4 = f32x4.mul(factors, v128.load(source, 64))
    const p5 = f32x4.mul(factors, v128.load(source, 80))
    const p6 = f32x4.mul(factors, v128.load(source, 96))
    const p7 = f32x4.mul(factors, v128.load(source, 112))
    v128.store(target, p4, 64)
    v128.store(target, p5, 80)
    v128.store(target, p6, 96)
    v128.store(target, p7, 112)
    sum0 = f32x4.add(sum0, p4)
    sum1 = f32x4.add(sum1, p5)
    sum2 = f32x4.add(sum2, p6)
    sum3 = f32x4.add(sum3, p7)
    target += 128
  }
  for (; source < end; source += 16) {
    const product = f32x4.mul(factors, v128.load(source))
    v128.store(target, product)
    sum0 = f32x4.add(sum0, product)
    target += 16
  }
  return isFiniteSum(sum0, sum1, sum2, sum3) || areFinite(begin, count) ? 1 : 0
}

/**
 * Copies `rows` contiguous rows of `width` float32 to rows that are `stride` bytes apart, bit for bit.
 *
 * @returns 1 where every element is finite, else 0
 */
export function spread(source: usize, target: usize, rows: usize, width: usize, stride: usize): i32 {
  const rowBytes = width << 2
  let sum0 = f32x4.splat(0)
  let sum1 = f32x4.splat(0)
  let sum2 = f32x4.splat(0)
  let sum3 = f32x4.splat(0)
  const blocks = rowBytes & ~63
  for (let at: usize = 0; at < blocks; at += 64) {
    let from = source + at
    let to = target + at
    for (let row: usize = 0; row < rows; row++) {
      const v0 = v128.load(from)
      const v1 = v128.load(from, 16)
      const v2 = v128.load(from, 32)
      const v3 = v128.load(from, 48)
      v128.store(to, v0)
      v128.store(to, v1, 16)
      v128.store(to, v2, 32)
      v128.store(to, v3, 48)
      sum0 = f32x4.add(sum0, v0)
      sum1 = f32x4.add(sum1, v1)
      sum2 = f32x4.add(sum2, v2)
      sum3 = f32x4.add(sum3, v3)
      from += rowBytes
      to += stride
    }
  }
  // Four rows at a time for narrow columns: a single row is less work than the loop around it.
  const fours = rows & ~3
  const vectors = rowBytes & ~15
  for (let at = blocks; at < vectors; at += 16) {
    let from = source + at
    let to = target + at
    let row: usize = 0
    for (; row < fours; row += 4) {
      const v0 = v128.load(from)
      from += rowBytes
      const v1 = v128.load(from)
      from += rowBytes
      const v2 = v128.load(from)
      from += rowBytes
      const v3 = v128.load(from)
      from += rowBytes
      v128.store(to, v0)
      to += stride
      v128.store(to, v1)
      to += stride
      v128.store(to, v2)
      to += stride
      v128.store(to, v3)
      to += stride
      sum0 = f32x4.add(sum0, v0)
      sum1 = f32x4.add(sum1, v1)
      sum2 = f32x4.add(sum2, v2)
      sum3 = f32x4.add(sum3, v3)
    }
    for (; row < rows; row++) {
      const values = v128.load(from)
      v128.store(to, values)
      sum0 = f32x4.add(sum0, values)
      from += rowBytes
      to += stride
    }
  }
  for (let at = vectors; at < rowBytes; at += 4) {
    let from = source + at
    let to = target + at
    for (let row: usize = 0; row < rows; row++) {
      const value = v128.load32_zero(from)
      v128.store_lane<u32>(to, value, 0)
      sum0 = f32x4.add(sum0, value)
      from += rowBytes
      to += stride
    }
  }
  return isFiniteSum(sum0, sum1, sum2, sum3) || areFinite(source, rows * width) ? 1 : 0
}

/** Whether four sums are finite, and hence all their terms: a term that is not finite makes the sum so, too. */
function isFiniteSum(sum0: v128, sum1: v128, sum2: v128, sum3: v128): bool {
  return !hasInfinity(magnitude(f32x4.add(f32x4.add(sum0, sum1), f32x4.add(sum2, sum3))))
}

/** Whether each of `count` float32 is finite. Called when a sum is not, since a sum of finite numbers can overflow. */
function areFinite(at: usize, count: usize): bool {
  let largest = i32x4.splat(0)
  const end = at + (count << 2)
  const vectorsEnd = at + ((count << 2) & ~15)
  for (; at < vectorsEnd; at += 16) largest = i32x4.max_u(largest, magnitude(v128.load(at)))
  for (; at < end; at += 4) largest = i32x4.max_u(largest, magnitude(v128.load32_zero(at)))
  return !hasInfinity(largest)
}

/** Bits of |values|: compared as integers they order like the magnitudes, with infinity and then NaN at the top. */
function magnitude(values: v128): v128 {
  return v128.and(values, i32x4.splat(0x7fffffff))
}

function hasInfinity(magnitudes: v128): bool {
  return v128.any_true(i32x4.ge_u(magnitudes, i32x4.splat(0x7f800000)))
}
