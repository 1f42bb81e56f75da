import { type KeptBack, keepBack } from '../../data/index.ts'
import type { Corpus } from './corpus-reader.ts'

const known = new WeakMap<Corpus, { readonly tokens: number; readonly parts: KeptBack }>()

/** Splits a corpus into what is trained on and what is kept back ({@link keepBack}); cached for a corpus in memory. */
export function keptBackOf(corpus: Corpus, tokens: number): KeptBack {
  const found = known.get(corpus)
  if (found?.tokens === tokens) return found.parts
  const parts = keepBack(corpus.examples, { tokens, isText: corpus.isText })
  known.set(corpus, { tokens, parts })
  return parts
}
