import type { TextDocument } from '../text/document.ts'
import { seededPermutation } from './seeded-order.ts'

/** How much of a corpus is held out. */
export interface SplitOptions {
  readonly seed: number
  /** Share of the documents to hold out; default 0.1. */
  readonly heldOutShare?: number
  /** At least this many documents are held out; default 2. */
  readonly minimumDocuments?: number
  /** Stops once the held-out documents have this many characters in total; default 48,000, about 16,000 tokens. */
  readonly maximumCharacters?: number
}

/** Two disjoint parts that make up the corpus, each in the corpus's order. */
export interface CorpusSplit {
  readonly train: readonly TextDocument[]
  readonly heldOut: readonly TextDocument[]
}

/**
 * Draws whole documents to hold out, by a seed, until the share or the size is reached. Every peer that knows the seed
 * holds the same documents out.
 *
 * @throws {RangeError} when fewer than one document would be left to train on
 */
export function splitDocuments(documents: readonly TextDocument[], options: SplitOptions): CorpusSplit {
  const { seed, heldOutShare = 0.1, minimumDocuments = 2, maximumCharacters = 48_000 } = options
  if (documents.length <= minimumDocuments) {
    throw new RangeError(
      `cannot hold out ${minimumDocuments} of ${documents.length} documents and still train`
    )
  }
  const wanted = Math.min(
    Math.max(minimumDocuments, Math.floor(documents.length * heldOutShare)),
    documents.length - 1
  )
  const held = new Set<number>()
  let characters = 0
  for (const index of seededPermutation(documents.length, seed)) {
    if (held.size >= wanted || (held.size >= minimumDocuments && characters >= maximumCharacters)) break
    held.add(index)
    characters += documents[index]!.text.length
  }
  return {
    train: documents.filter((_, index) => !held.has(index)),
    heldOut: documents.filter((_, index) => held.has(index))
  }
}
