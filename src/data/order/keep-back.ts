import { createHash } from 'node:crypto'
import type { TokenizedExample } from '../records/tokenize-example.ts'

/** The tokenized pieces of each example; a conversation may have several. */
type Examples = readonly (readonly TokenizedExample[])[]

/** How much of a corpus is kept back. */
export interface KeepBackOptions {
  /** Stops once the examples kept back have this many targets in total. */
  readonly tokens: number
  /** Whether all examples are plain text, which may be cut anywhere. */
  readonly isText: boolean
}

/** Two disjoint parts of a corpus; `train` keeps the corpus's order. */
export interface KeptBack {
  readonly train: Examples
  readonly kept: readonly TokenizedExample[]
}

/** Largest share of the examples to keep back, or of each text if there are few. */
export const KEPT_BACK_SHARE = 0.05
/** With fewer targets than this, chance would decide the measurement. */
export const KEPT_BACK_TARGETS_MIN = 128
/** With fewer examples than this, a single one exceeds the share. */
const MANY = 1 / KEPT_BACK_SHARE

/**
 * Keeps a small part of a corpus out of training: whole examples in the order of their tokens' SHA-256, so that
 * examples added later change the selection little; with fewer than twenty texts, the end of each text instead. Keeps
 * at most the share, and no more than is measured.
 *
 * @returns all examples to train on and none kept, if the part would be too small to measure anything
 */
export function keepBack(examples: Examples, { tokens, isText }: KeepBackOptions): KeptBack {
  const found =
    examples.length >= MANY
      ? keepWhole(examples, tokens)
      : isText
        ? keepEnds(examples, tokens)
        : { train: examples, kept: [] }
  return targetsOf(found.kept) < KEPT_BACK_TARGETS_MIN ? { train: examples, kept: [] } : found
}

/** Targets that count towards the loss. */
export function targetsOf(examples: readonly TokenizedExample[]): number {
  return examples.reduce((sum, { weights }) => sum + weights.reduce((count, weight) => count + weight, 0), 0)
}

function keepWhole(examples: Examples, tokens: number): KeptBack {
  const order = examples
    .map((example, index) => ({ index, digest: digestOf(example) }))
    .sort((a, b) => Buffer.compare(a.digest, b.digest) || a.index - b.index)
  const most = Math.floor(examples.length * KEPT_BACK_SHARE)
  const chosen = new Set<number>()
  let targets = 0
  for (const { index } of order) {
    if (chosen.size >= most || targets >= tokens) break
    chosen.add(index)
    targets += targetsOf(examples[index]!)
  }
  return {
    train: examples.filter((_, index) => !chosen.has(index)),
    kept: [...chosen].flatMap((index) => examples[index]!)
  }
}

function keepEnds(examples: Examples, tokens: number): KeptBack {
  const each = Math.ceil(tokens / examples.length)
  const kept: TokenizedExample[] = []
  const train = examples.map((parts) =>
    parts.map((example) => {
      const length = example.ids.length
      const end = length - Math.min(each, Math.floor(length * KEPT_BACK_SHARE))
      kept.push(slice(example, end, length))
      return slice(example, 0, end)
    })
  )
  return { train, kept }
}

function slice({ ids, weights }: TokenizedExample, start: number, end: number): TokenizedExample {
  const part = { ids: ids.slice(start, end), weights: weights.slice(start, end) }
  if (part.weights.length > 0) part.weights[0] = 0
  return part
}

function digestOf(example: readonly TokenizedExample[]): Buffer {
  const hash = createHash('sha256')
  for (const { ids, weights } of example)
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)).update(weights)
  return hash.digest()
}
