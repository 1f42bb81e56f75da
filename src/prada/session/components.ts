import { requireSameVocabulary, type Vocabulary } from '../core/index.ts'
import type { TokenModel } from '../models/index.ts'
import type { Remote } from '../remotes/remote.ts'

/** The consortium's two models on the device. */
export interface Proxy {
  readonly base: TokenModel
  readonly adapted: TokenModel
}

/** What a text is made with. */
export interface PradaComponents {
  readonly proxy: Proxy
  readonly remote: Remote
  /** Ids that proxy and remote share: those of the proxy's vocabulary. */
  readonly vocabularySize: number
  /** Milliseconds; only lengths of time matter. */
  readonly now: () => number
}

/**
 * Puts a proxy and a remote together.
 *
 * @param vocabulary of the proxy
 * @throws {VocabularyError} when their ids do not mean the same
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
