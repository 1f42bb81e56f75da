import assert from 'node:assert/strict'
import { hasUnmergedTokens, mergeScores } from '../../../../src/node/export/bpe-merges.ts'

const vocabOf = (...tokens: string[]): Record<string, number> =>
  Object.fromEntries(tokens.map((token, id) => [token, id]))
const NONE: ReadonlySet<string> = new Set()

describe('BPE merges', () => {
  it('may or may not reach every token in their order', () => {
    const vocab = vocabOf('a', 'b', 'c', 'ab', 'bc', 'abc')
    assert.equal(
      hasUnmergedTokens(
        {
          vocab,
          merges: [
            ['a', 'b'],
            ['b', 'c'],
            ['ab', 'c']
          ]
        },
        NONE
      ),
      false
    )
    // "bc" comes first, and leaves "a" alone: "abc" is only taken where merges are ignored.
    assert.equal(
      hasUnmergedTokens(
        {
          vocab,
          merges: [
            ['b', 'c'],
            ['a', 'b'],
            ['ab', 'c']
          ]
        },
        NONE
      ),
      true
    )
    assert.equal(
      hasUnmergedTokens(
        {
          vocab,
          merges: [
            ['b', 'c'],
            ['a', 'b'],
            ['ab', 'c']
          ]
        },
        new Set(['abc'])
      ),
      false
    )
  })

  it('have scores if every token has a place in the order, and all ways to it are merges', () => {
    const vocab = vocabOf('a', 'b', 'c', 'ab', 'bc', 'abc')
    const merges: [string, string][] = [
      ['a', 'b'],
      ['b', 'c'],
      ['ab', 'c'],
      ['a', 'bc']
    ]
    assert.deepEqual(
      [...mergeScores({ vocab, merges }, NONE)!],
      [
        ['ab', -1],
        ['bc', -2],
        ['abc', -3]
      ]
    )
    // SentencePiece would merge a and bc, too.
    assert.equal(mergeScores({ vocab, merges: merges.slice(0, 3) }, NONE), undefined)
    assert.equal(
      mergeScores({ vocab, merges: [merges[2]!, merges[0]!, merges[3]!, merges[1]!] }, NONE),
      undefined
    )
    assert.notEqual(mergeScores({ vocab, merges: merges.slice(0, 3) }, new Set(['abc'])), undefined)
  })
})
