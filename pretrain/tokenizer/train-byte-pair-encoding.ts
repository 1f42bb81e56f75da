import { BYTE_CHARACTERS } from './byte-alphabet.ts'

/**
 * GPT-2's pattern for splitting a text into words: a word includes the space before it, and merges never cross words.
 */
const WORD = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

/** A trained byte-level BPE. */
export interface BytePairEncoding {
  /** Text of every piece, in the byte alphabet; its id is its index plus `firstId`. The first 256 are bytes. */
  readonly pieces: readonly string[]
  /** The merged pairs, in order: merge number i creates piece 256 + i. */
  readonly merges: readonly (readonly [string, string])[]
}

/** A distinct word: its current pieces and its frequency. */
interface Word {
  pieces: number[]
  readonly count: number
}

/** Encodes a pair of piece numbers as one map key; piece numbers stay far below this. */
const PAIR_BASE = 2 ** 20

/**
 * Learns byte-pair merges (Sennrich et al. 2016) over bytes: merges the most frequent pair of adjacent pieces inside
 * words until there are `pieceCount` pieces. Ties are resolved by piece number, so the same texts always give the same
 * merges. Counts are updated only for the words that a merge affects: 10 MB and 2,048 pieces take a few seconds.
 *
 * @param pieceCount total number of pieces, at least the 256 bytes; the result has fewer if the texts have no more
 * pairs
 */
export function trainBytePairEncoding(texts: Iterable<string>, pieceCount: number): BytePairEncoding {
  if (pieceCount < 256 || pieceCount >= PAIR_BASE)
    throw new RangeError(`pieceCount must be from 256 to 1048575, got ${pieceCount}`)
  const words = countWords(texts)
  const pieces = [...BYTE_CHARACTERS]
  const merges: [string, string][] = []
  const pairs = new PairCounts(words)
  while (pieces.length < pieceCount) {
    const best = pairs.mostFrequent()
    if (best === undefined) break
    const [left, right] = best
    merges.push([pieces[left]!, pieces[right]!])
    pairs.merge(left, right, pieces.length)
    pieces.push(pieces[left]! + pieces[right]!)
  }
  return { pieces, merges }
}

function countWords(texts: Iterable<string>): Word[] {
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const word of text.match(WORD) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return Array.from(counts, ([word, count]) => ({ pieces: [...Buffer.from(word, 'utf8')], count }))
}

/** Frequencies of all pairs of adjacent pieces, and the words that contain them. */
class PairCounts {
  readonly #words: readonly Word[]
  readonly #counts = new Map<number, number>()
  readonly #places = new Map<number, Set<number>>()

  constructor(words: readonly Word[]) {
    this.#words = words
    for (let place = 0; place < words.length; place++) this.#add(place, 1)
  }

  /** The most frequent pair; ties go to the lower numbers. Undefined if every word is one piece. */
  mostFrequent(): readonly [number, number] | undefined {
    let bestKey = -1
    let bestCount = 0
    for (const [key, count] of this.#counts) {
      if (count > bestCount || (count === bestCount && key < bestKey)) {
        bestKey = key
        bestCount = count
      }
    }
    return bestCount === 0 ? undefined : [Math.floor(bestKey / PAIR_BASE), bestKey % PAIR_BASE]
  }

  /** Merges all occurrences of a pair into piece number `joined`, from left to right. */
  merge(left: number, right: number, joined: number): void {
    for (const place of this.#places.get(left * PAIR_BASE + right) ?? []) {
      this.#add(place, -1)
      const word = this.#words[place]!
      word.pieces = joinPair(word.pieces, left, right, joined)
      this.#add(place, 1)
    }
  }

  #add(place: number, sign: 1 | -1): void {
    const { pieces, count } = this.#words[place]!
    for (let index = 1; index < pieces.length; index++) {
      const key = pieces[index - 1]! * PAIR_BASE + pieces[index]!
      const total = (this.#counts.get(key) ?? 0) + sign * count
      if (total === 0) this.#counts.delete(key)
      else this.#counts.set(key, total)
      const places = this.#places.get(key)
      if (sign < 0) continue
      if (places === undefined) this.#places.set(key, new Set([place]))
      else places.add(place)
    }
  }
}

function joinPair(pieces: readonly number[], left: number, right: number, joined: number): number[] {
  const result: number[] = []
  for (let index = 0; index < pieces.length; index++) {
    if (pieces[index] === left && pieces[index + 1] === right) {
      result.push(joined)
      index++
    } else {
      result.push(pieces[index]!)
    }
  }
  return result
}
