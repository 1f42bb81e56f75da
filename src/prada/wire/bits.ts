import type { ByteReader } from './byte-reader.ts'
import { WireError } from './wire-error.ts'

/** Maximum length of the unary prefix of a Rice code. The encoder chooses a parameter that satisfies it. */
const QUOTIENT_MAX = 63
/** Bits of a Rice code's parameter. */
const PARAMETER_BITS = 5

/** Writes bits, highest first, and pads them to whole bytes at the end. */
export interface BitWriter {
  /** @param width from 0 to 31 */
  put(value: number, width: number): void
  /**
   * Integers from 0 to 2^31 − 1 as Rice codes (Golomb 1966; Rice 1979): the quotient by 2^k in unary, the remainder in
   * k bits. The k that gives the shortest codes is written first. The caller may write other bits before each number.
   *
   * @param between called before each number with its index
   */
  rice(values: readonly number[], between?: (place: number) => void): void
  done(): Uint8Array
}

export function createBitWriter(): BitWriter {
  const bytes: number[] = []
  let used = 8
  const bit = (value: number): void => {
    if (used === 8) {
      bytes.push(0)
      used = 0
    }
    if (value !== 0) bytes[bytes.length - 1]! |= 0x80 >>> used
    used++
  }
  const put = (value: number, width: number): void => {
    for (let place = width - 1; place >= 0; place--) bit((value >>> place) & 1)
  }
  return {
    put,
    rice(values, between) {
      if (values.length === 0) return
      const parameter = riceParameter(values)
      put(parameter, PARAMETER_BITS)
      for (const [place, value] of values.entries()) {
        between?.(place)
        for (let ones = value >>> parameter; ones > 0; ones--) bit(1)
        bit(0)
        put(value & (2 ** parameter - 1), parameter)
      }
    },
    done: () => Uint8Array.from(bytes)
  }
}

/** The parameter with the shortest codes. */
function riceParameter(values: readonly number[]): number {
  let most = 0
  for (const value of values) {
    if (!(value >= 0 && value < 2 ** 31))
      throw new RangeError(`a Rice code needs a value from 0 to 2^31 − 1, got ${value}`)
    if (value > most) most = value
  }
  let least = 0
  while (most >>> least > QUOTIENT_MAX) least++
  const bitsOf = (parameter: number): number =>
    values.reduce((sum, value) => sum + (value >>> parameter) + 1 + parameter, 0)
  let best = least
  for (let parameter = least + 1; parameter < 31; parameter++)
    if (bitsOf(parameter) < bitsOf(best)) best = parameter
  return best
}

/** Reads what a `BitWriter` wrote, byte by byte. */
export interface BitReader {
  take(width: number): number
  /**
   * @param count how many numbers to read
   * @param most maximum value of a number
   * @throws {WireError}
   */
  rice(count: number, most: number, between?: () => void): number[]
  /** @throws {WireError} if the padding of the last byte is not 0 */
  end(): void
}

export function createBitReader(reader: ByteReader): BitReader {
  let byte = 0
  let left = 0
  const bit = (): number => {
    if (left === 0) {
      byte = reader.byte()
      left = 8
    }
    left--
    return (byte >>> left) & 1
  }
  const take = (width: number): number => {
    let value = 0
    for (let place = 0; place < width; place++) value = value * 2 + bit()
    return value
  }
  return {
    take,
    rice(count, most, between) {
      if (count === 0) return []
      const parameter = take(PARAMETER_BITS)
      return Array.from({ length: count }, () => {
        between?.()
        let ones = 0
        while (bit() === 1) if (++ones > QUOTIENT_MAX) throw new WireError('unterminated number')
        const value = ones * 2 ** parameter + take(parameter)
        if (value > most) throw new WireError(`number ${value} exceeds the maximum ${most}`)
        return value
      })
    },
    end() {
      if ((byte & (2 ** left - 1)) !== 0) throw new WireError('padding bits are not 0')
    }
  }
}
