import type { FeedValue } from '../executor/index.ts'
import type { LayerCache } from '../families/index.ts'
import { cacheNames } from './decoding-graph.ts'

/** One array of a layer: what is kept of its tokens by head. */
interface Kept {
  /** Under which a run's new tokens come. */
  readonly fresh: string
  /** Under which it is fed. */
  readonly past: string
  readonly heads: number
  readonly size: number
  /** Only of this many last tokens is fed, which are 0 where there were none; of all if undefined. */
  readonly lastTokens: number | undefined
  data: Float32Array
}

/** Keys, values and what convolutions read of one text, in arrays of a capacity that doubles when it is exceeded. */
export interface KeyValueCache {
  /** Number of tokens held. */
  readonly length: number
  /** Capacity in tokens; 0 at the start. */
  readonly capacity: number
  /** The feeds of a decoding graph of this capacity. */
  feeds(): Iterable<[string, FeedValue]>
  /** Takes the first `count` of `length` new tokens from a run's outputs. */
  append(outputs: ReadonlyMap<string, Float32Array>, length: number, count: number): void
  /** Ensures room for `length` tokens. */
  reserve(length: number): void
  /** Forgets all but the first `length` tokens; their places are 0 again. */
  truncate(length: number): void
}

/** An empty cache whose capacity grows from `block` tokens by doubling. */
export function createKeyValueCache(layers: readonly LayerCache[], block: number): KeyValueCache {
  const kept = layers.flatMap(keptOf)
  let capacity = 0
  let length = 0

  const grow = (wanted: number): void => {
    let larger = Math.max(block, capacity)
    while (larger < wanted) larger *= 2
    if (larger === capacity) return
    for (const each of kept) {
      const { heads, size, data: before } = each
      each.data = new Float32Array(heads * larger * size)
      for (let head = 0; head < heads; head++) {
        const start = head * capacity * size
        each.data.set(before.subarray(start, start + length * size), head * larger * size)
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
    feeds: () => kept.map((each) => [each.past, fed(each, length)] as [string, FeedValue]),
    reserve: grow,
    append(outputs, fed, count) {
      grow(length + count)
      for (const { fresh, heads, size, data } of kept) {
        const source = outputs.get(fresh)!
        for (let head = 0; head < heads; head++) {
          const from = head * fed * size
          data.set(source.subarray(from, from + count * size), (head * capacity + length) * size)
        }
      }
      length += count
    },
    truncate(wanted) {
      if (wanted < 0 || wanted > length) throw new RangeError(`cannot keep ${wanted} of ${length} tokens`)
      for (const { heads, size, data } of kept)
        for (let head = 0; head < heads; head++)
          data.fill(0, (head * capacity + wanted) * size, (head * capacity + length) * size)
      length = wanted
    }
  }
}

function keptOf(layer: LayerCache, index: number): Kept[] {
  const names = cacheNames(index)
  const empty = { data: new Float32Array(0) }
  // A convolution reads few tokens, but all are kept, so that a text can go back.
  if (layer.kind === 'convolution')
    return [
      {
        ...empty,
        fresh: names.newRows,
        past: names.pastRows,
        heads: 1,
        size: layer.width,
        lastTokens: layer.tokens
      }
    ]
  const shape = { heads: layer.keyHeads, size: layer.headSize, lastTokens: undefined }
  return [
    { ...empty, ...shape, fresh: names.newKeys, past: names.pastKeys },
    { ...empty, ...shape, fresh: names.newValues, past: names.pastValues }
  ]
}

function fed({ data, size, lastTokens }: Kept, length: number): Float32Array {
  if (lastTokens === undefined) return data
  const last = new Float32Array(lastTokens * size)
  const there = Math.min(lastTokens, length)
  last.set(data.subarray((length - there) * size, length * size), (lastTokens - there) * size)
  return last
}
