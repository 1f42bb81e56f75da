import assert from 'node:assert/strict'
import fc from 'fast-check'
import { KEPT_BACK_TARGETS_MIN, keepBack } from '../../../../src/data/order/keep-back.ts'
import type { TokenizedExample } from '../../../../src/data/records/tokenize-example.ts'

/** An example of `length` tokens that no other number has; all but the first are learned. */
function exampleOf(number: number, length: number): TokenizedExample[] {
  const ids = Int32Array.from({ length }, (_, k) => number * 10_000 + k)
  return [{ ids, weights: new Uint8Array(length).fill(1).fill(0, 0, 1) }]
}

const tokensOf = (examples: readonly (readonly TokenizedExample[])[]) =>
  examples.flatMap((parts) => parts.flatMap(({ ids }) => [...ids]))

describe('keeping part of a corpus back', () => {
  const sizes = fc.array(fc.integer({ min: 2, max: 400 }), { minLength: 1, maxLength: 120 })

  it('splits the corpus without loss or overlap, and keeps back at most a twentieth', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 16, max: 4096 }), fc.boolean(), (lengths, tokens, isText) => {
        const examples = lengths.map((length, number) => exampleOf(number, length))
        const { train, kept } = keepBack(examples, { tokens, isText })
        const both = [...tokensOf(train), ...tokensOf([kept])].sort((a, b) => a - b)
        assert.deepEqual(both, tokensOf(examples))
        assert(train.length > 0)
        if (lengths.length >= 20) assert(lengths.length - train.length <= lengths.length / 20)
        else assert(tokensOf([kept]).length <= tokensOf(examples).length / 20)
      })
    )
  })

  it('keeps the same examples when others are added, except those that new ones displace', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 120 }), fc.integer({ min: 1, max: 40 }), (count, added) => {
        const kept = (n: number) => {
          const examples = Array.from({ length: n }, (_, number) => exampleOf(number, 100))
          return keepBack(examples, { tokens: 1e6, isText: false }).kept.map(({ ids }) => ids[0]!)
        }
        const after = new Set(kept(count + added))
        // Sorted by digest: an example only leaves the kept part if an added one has a smaller digest.
        const left = kept(count).filter((first) => !after.has(first))
        const came = [...after].filter((first) => first >= count * 10_000)
        assert(left.length <= came.length)
      })
    )
  })

  it('keeps back no more than is measured', () => {
    const examples = Array.from({ length: 1000 }, (_, number) => exampleOf(number, 101))
    const { train, kept } = keepBack(examples, { tokens: 1024, isText: true })
    assert.equal(kept.length, 11)
    assert.equal(train.length, 989)
  })

  it('takes the end of each text when there are few, and nothing of few prompts and completions', () => {
    const examples = [exampleOf(0, 4000), exampleOf(1, 8000)]
    const { train, kept } = keepBack(examples, { tokens: 1024, isText: true })
    assert.deepEqual(
      kept.map(({ ids, weights }) => [ids[0], ids.length, weights[0]]),
      [
        [3800, 200, 0],
        [17_600, 400, 0]
      ]
    )
    assert.deepEqual(
      train.map((parts) => parts[0]!.ids.length),
      [3800, 7600]
    )
    assert.deepEqual(keepBack(examples, { tokens: 1024, isText: false }), { train: examples, kept: [] })
  })

  it('keeps nothing back when the sample would be too small', () => {
    const examples = Array.from({ length: 20 }, (_, number) => exampleOf(number, KEPT_BACK_TARGETS_MIN))
    assert.deepEqual(keepBack(examples, { tokens: 1024, isText: true }), { train: examples, kept: [] })
  })
})
