import type { SeededRandom } from '../support/seeded-random.ts'

/** Maximum size of a purely random input in bytes. */
const RANDOM_BYTES_MAX = 512
/** Heads of DAG-CBOR items that announce more than follows: long strings, arrays and maps, tags, odd simple values. */
const HEADS = [
  0x5b, 0x7b, 0x9b, 0xbb, 0x9a, 0xba, 0xd8, 0xdb, 0xf9, 0xfa, 0xfb, 0xff, 0x5f, 0x9f, 0xf7, 0x1b, 0x3b
]

/** An input for a decoder: random bytes, nested heads, or valid bytes that were damaged in one to four places. */
export function mangled(samples: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  if (random.chance(0.05)) return randomBytes(random.between(0, RANDOM_BYTES_MAX), random)
  if (random.chance(0.01))
    return new Uint8Array(random.between(1, 4_096)).fill(random.chance(0.5) ? 0x81 : 0xa1)
  let bytes = pick(samples, random)
  for (let count = random.between(1, 4); count > 0; count--) bytes = damaged(bytes, samples, random)
  return bytes
}

function damaged(bytes: Uint8Array, samples: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  const place = random.between(0, Math.max(0, bytes.length - 1))
  const copy = bytes.slice()
  switch (random.between(0, 7)) {
    case 0:
      copy[place]! ^= 1 << random.between(0, 7)
      return copy
    case 1:
      copy[place] = random.between(0, 255)
      return copy
    case 2:
      copy[place] = HEADS[random.between(0, HEADS.length - 1)]!
      return copy
    case 3:
      return bytes.slice(0, place)
    case 4:
      return joined(
        bytes.subarray(0, place),
        randomBytes(random.between(1, 9), random),
        bytes.subarray(place)
      )
    case 5:
      return joined(
        bytes.subarray(0, place),
        bytes.subarray(Math.min(bytes.length, place + random.between(1, 40)))
      )
    case 6: {
      const other = pick(samples, random)
      const from = random.between(0, Math.max(0, other.length - 1))
      return joined(bytes.subarray(0, place), other.subarray(from))
    }
    default: {
      // Counts and lengths are what could make a decoder do too much work.
      copy[place] = Math.min(255, (copy[place] ?? 0) + random.between(1, 3))
      return copy
    }
  }
}

function randomBytes(length: number, random: SeededRandom): Uint8Array {
  return Uint8Array.from({ length }, () => random.between(0, 255))
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

function pick<T>(values: readonly T[], random: SeededRandom): T {
  return values[random.between(0, values.length - 1)]!
}
