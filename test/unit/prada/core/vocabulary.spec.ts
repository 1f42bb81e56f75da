import assert from 'node:assert/strict'
import { requireSameVocabulary, type Vocabulary, VocabularyError } from '../../../../src/prada/core/index.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const PROXY: Vocabulary = {
  type: 'BPE',
  bosId: 0,
  eosId: 0,
  tokens: [bytes('<|end|>'), bytes('a'), undefined, bytes(' b')]
}

describe('vocabulary', () => {
  it('accepts a remote that has the same ids, and more', () => {
    requireSameVocabulary(PROXY, PROXY)
    requireSameVocabulary(PROXY, { ...PROXY, tokens: [...PROXY.tokens, bytes('<pad>'), undefined] })
  })

  it('names the first difference', () => {
    const [end, a, none, b] = PROXY.tokens
    const different: [Partial<Vocabulary>, RegExp][] = [
      [{ type: 'Unigram' }, /is BPE, the remote's Unigram/],
      [{ bosId: undefined }, /BOS is 0 for the proxy and absent/],
      [{ eosId: 1 }, /EOS is 0 for the proxy and 1/],
      [{ tokens: [end, a] }, /4 ids, the remote 2/],
      [
        { tokens: [end, bytes('c'), none, bytes('d')] },
        /id 1 is "a" \(bytes 61\) for the proxy and "c" \(bytes 63\)/
      ],
      [{ tokens: [end, a, bytes('x'), b] }, /id 2 is no token for the proxy and "x"/],
      [{ tokens: [end, a, none, undefined] }, /id 3 is " b" \(bytes 20 62\) for the proxy and no token/]
    ]
    for (const [part, message] of different)
      assert.throws(
        () => requireSameVocabulary(PROXY, { ...PROXY, ...part }),
        (error) => error instanceof VocabularyError && message.test(error.message)
      )
  })
})
