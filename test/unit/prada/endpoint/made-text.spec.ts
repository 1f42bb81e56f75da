import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type MadeTextEnd, type TextPiece, textPieces } from '../../../../src/prada/endpoint/made-text.ts'
import type { MadeToken, TextEnd } from '../../../../src/prada/endpoint/text-source.ts'
import { byteTokenizer, given } from './tiny-source.ts'

async function told(
  ids: readonly number[],
  stop: readonly string[] = [],
  reason?: TextEnd
): Promise<{ pieces: TextPiece[]; end: MadeTextEnd; text: string; ids: number[] }> {
  const pieces: TextPiece[] = []
  const source = textPieces(given(ids, reason), { tokenizer: byteTokenizer, before: [], stop })
  for (;;) {
    const next = await source.next()
    if (next.done)
      return {
        pieces,
        end: next.value,
        text: pieces.map(({ text }) => text).join(''),
        ids: pieces.flatMap(({ tokens }) => tokens.map(({ id }) => id))
      }
    pieces.push(next.value)
  }
}

const bytesOf = (text: string): number[] => [...Buffer.from(text)]

describe('streamed text', () => {
  it('arrives in whole characters, with the tokens that make each', async () => {
    const { pieces, end } = await told(bytesOf('aé😀b'))
    assert.deepEqual(
      pieces.map(({ text, tokens }) => [text, tokens.length]),
      [
        ['a', 1],
        ['é', 2],
        ['😀', 4],
        ['b', 1]
      ]
    )
    assert.deepEqual(end, { reason: 'length', tokens: 8, inexact: 0 })
  })

  it('has no partial character at the end when it is cut short', async () => {
    const cut = await told(bytesOf('a😀').slice(0, -1))
    assert.deepEqual([cut.text, cut.end.tokens], ['a', 4])
    const ended = await told(bytesOf('a😀').slice(0, -1), [], 'stop')
    assert.equal(ended.text, 'a\ufffd')
  })

  it('ends before the first stop string, across tokens, and reports no token of it', async () => {
    const { text, ids, end } = await told(bytesOf('one STOP two'), ['never', 'STOP'])
    assert.equal(text, 'one ')
    assert.deepEqual(ids, bytesOf('one '))
    assert.deepEqual(end, { reason: 'stop', tokens: 8, inexact: 0 })
    const almost = await told(bytesOf('one STO'), ['STOP'])
    assert.equal(almost.text, 'one STO')
    assert.deepEqual(almost.ids, bytesOf('one STO'))
  })

  it('never shows the start of a stop string that completes, for any text', async () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀'), maxLength: 30 })
    const stops = fc.array(
      fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀'), minLength: 1, maxLength: 3 }),
      {
        maxLength: 4
      }
    )
    await fc.assert(
      fc.asyncProperty(letters, stops, async (whole, stop) => {
        const { text, ids, pieces, end } = await told(bytesOf(whole), stop)
        // The stop string that completes first ends the text; of several that end there, the longest.
        const found = stop
          .map((one) => ({ begin: whole.indexOf(one), end: whole.indexOf(one) + one.length }))
          .filter(({ begin }) => begin >= 0)
          .sort((a, b) => a.end - b.end || a.begin - b.begin)
        const expected = found.length > 0 ? whole.slice(0, found[0]!.begin) : whole
        assert.equal(text, expected)
        assert.equal(end.reason, found.length > 0 ? 'stop' : 'length')
        assert.deepEqual(ids, bytesOf(expected))
        for (const piece of pieces) assert.doesNotMatch(piece.text, /\p{Surrogate}/u)
      })
    )
  })

  it('releases the source when the client leaves', async () => {
    let isFreed = false
    async function* source(): AsyncGenerator<MadeToken, TextEnd> {
      try {
        for (;;) yield { id: 97, exact: true }
      } finally {
        isFreed = true
      }
    }
    for await (const _ of textPieces(source(), { tokenizer: byteTokenizer, before: [], stop: [] })) break
    assert.ok(isFreed)
  })
})
