import { requireSameVocabulary, type Vocabulary } from '../core/index.ts'
import type { TokenModel } from '../models/index.ts'
import type { Remote } from '../remotes/remote.ts'

/** The consortium's base and adapted models on the device. */
export interface Proxy {
  readonly base: TokenModel
  readonly adapted: TokenModel
}

/** What generating a text depends on. */
export interface PradaComponents {
  readonly proxy: Proxy
  readonly remote: Remote
  /** Number of ids that proxy and remote share, which are those of the proxy's vocabulary. */
  readonly vocabularySize: number
  /** Clock in milliseconds; only differences matter. */
  readonly now: () => number
}

/**
 * Combines a proxy and a remote.
 *
 * @param vocabulary of the proxy
 * @throws {VocabularyError} if their vocabularies differ
 */
export function pairProxy(
  proxy: Proxy,
  vocabulary: Vocabulary,
  remote: Remote,
  now: () => number = () => performance.now()
): PradaComponents {
  requireSameVocabulary(vocabulary, remote.vocabulary)
  return { proxy, remote, vocabularySize: vocabulary.tokens.length, now }
}
