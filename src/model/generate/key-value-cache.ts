import type { FeedValue } from '../executor/index.ts'
import { cacheNames } from './decoding-graph.ts'

/** Shape of what one layer keeps a token. */
export interface CacheShape {
  readonly layers: number
  readonly keyHeads: number
  readonly headSize: number
}

interface Half {
  readonly past: 'pastKeys' | 'pastValues'
  readonly fresh: 'newKeys' | 'newValues'
}

const HALVES: readonly Half[] = [
  { past: 'pastKeys', fresh: 'newKeys' },
  { past: 'pastValues', fresh: 'newValues' }
]

/** Keys and values of one text, in arrays of a capacity that doubles when it is exceeded. */
export interface KeyValueCache {
  /** Tokens held. */
  readonly length: number
  /** Tokens there is room for; 0 at the start. */
  readonly capacity: number
  /** What a decoding graph of this capacity is fed. */
  feeds(): Iterable<[string, FeedValue]>
  /** Takes the first `count` of `length` new tokens from a run's outputs. */
  append(outputs: ReadonlyMap<string, Float32Array>, length: number, count: number): void
  /** Makes room for `length` tokens. */
  reserve(length: number): void
  /** Forgets all but the first `length` tokens; their places are 0 again. */
  truncate(length: number): void
}

/** An empty cache whose capacity grows from `block` tokens by doubling. */
export function createKeyValueCache(
  { layers, keyHeads, headSize }: CacheShape,
  block: number
): KeyValueCache {
  const arrays = new Map<string, Float32Array>()
  let capacity = 0
  let length = 0

  const grow = (wanted: number): void => {
    let larger = Math.max(block, capacity)
    while (larger < wanted) larger *= 2
    if (larger === capacity) return
    for (let layer = 0; layer < layers; layer++) {
      for (const { past } of HALVES) {
        const name = cacheNames(layer)[past]
        const before = arrays.get(name)
        const after = new Float32Array(keyHeads * larger * headSize)
        for (let head = 0; before !== undefined && head < keyHeads; head++) {
          const start = head * capacity * headSize
          after.set(before.subarray(start, start + length * headSize), head * larger * headSize)
        }
        arrays.set(name, after)
      }
    }
    capacity = larger
  }

  return {
    get length() {
      return length
    },
    get capacity() {
      return capacity
    },
    feeds: () => arrays,
    reserve: grow,
    append(outputs, fed, count) {
      grow(length + count)
      for (let layer = 0; layer < layers; layer++) {
        const names = cacheNames(layer)
        for (const { past, fresh } of HALVES) {
          const target = arrays.get(names[past])!
          const source = outputs.get(names[fresh])!
          for (let head = 0; head < keyHeads; head++) {
            const from = head * fed * headSize
            target.set(source.subarray(from, from + count * headSize), (head * capacity + length) * headSize)
          }
        }
      }
      length += count
    },
    truncate(wanted) {
      if (wanted < 0 || wanted > length) throw new RangeError(`cannot keep ${wanted} of ${length} tokens`)
      for (const array of arrays.values())
        for (let head = 0; head < keyHeads; head++)
          array.fill(0, (head * capacity + wanted) * headSize, (head * capacity + length) * headSize)
      length = wanted
    }
  }
}
