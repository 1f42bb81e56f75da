import { keepBack, type TokenizedExample } from '../../src/data/index.ts'
import type { TokenizedDomain } from '../experiments/corpus.ts'

/** A domain without the documents that its member keeps back by default, and those documents as one text. */
export interface KeepingBack {
  readonly domain: TokenizedDomain
  readonly heldOut: TokenizedExample
}

/**
 * Keeps back the documents that a peer keeps back by default: text for judging others, separate from the held-out text
 * that runs are scored on.
 *
 * @param tokens maximum number of tokens kept back
 * @param measured number of these tokens on which each update is measured
 */
export function keepBackText(domain: TokenizedDomain, tokens: number, measured = tokens): KeepingBack {
  const examples = domain.train.map((ids) => [
    { ids: Int32Array.from(ids), weights: new Uint8Array(ids.length).fill(1) }
  ])
  const { train, kept } = keepBack(examples, { tokens, isText: true })
  return {
    domain: { ...domain, train: train.map((parts) => [...parts[0]!.ids]) },
    heldOut: {
      ids: Int32Array.from(kept.flatMap(({ ids }) => [...ids])).slice(0, measured + 1),
      weights: Uint8Array.from(kept.flatMap(({ weights }) => [...weights])).slice(0, measured + 1)
    }
  }
}
