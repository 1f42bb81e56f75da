import assert from 'node:assert/strict'
import fc from 'fast-check'
import { accuracy, choiceTexts, ENDING, makeChoices } from '../../../../lab/prada/choices.ts'
import { meanNats, steeredNats, tokenNats } from '../../../../lab/prada/quality.ts'
import type { TextRows } from '../../../../lab/prada/text-rows.ts'

const SIZE = 5
const TEXTS = [
  [1, 2, 3, 4],
  [0, 4]
]

const row = fc
  .array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: SIZE + 1, maxLength: SIZE + 1 })
  .map((values) => Float32Array.from(values))
/** Rows behind all tokens of the texts but the last; they have an id more than is shared. */
const rows: fc.Arbitrary<TextRows> = fc.tuple(
  fc.array(row, { minLength: 3, maxLength: 3 }),
  fc.array(row, { minLength: 1, maxLength: 1 })
)

function assertClose(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-5, `${actual}, expected ${expected}`)
}

describe('the steered score of a text', () => {
  it('is that of the remote at strength 0, and with an unadapted proxy', () => {
    fc.assert(
      fc.property(
        rows,
        rows,
        rows,
        fc.double({ min: 0, max: 2, noNaN: true }),
        (remote, base, adapted, alpha) => {
          const own = meanNats(tokenNats(remote, TEXTS, SIZE))
          assertClose(meanNats(steeredNats({ remote, base, adapted }, TEXTS, SIZE, 0)), own)
          assertClose(meanNats(steeredNats({ remote, base, adapted: base }, TEXTS, SIZE, alpha)), own)
        }
      )
    )
  })

  it('is that of the adapted proxy at strength 1 when the remote is the proxy', () => {
    fc.assert(
      fc.property(rows, rows, (base, adapted) => {
        const own = meanNats(tokenNats(adapted, TEXTS, SIZE))
        assertClose(meanNats(steeredNats({ remote: base, base, adapted }, TEXTS, SIZE, 1)), own)
      })
    )
  })

  it('counts every token that has a row before it', () => {
    const certain = Float32Array.of(0, 0, 0, 0, 50)
    assertClose(meanNats(tokenNats([[certain], [certain]], TEXTS, SIZE)), 0)
  })
})

describe('a multiple-choice question', () => {
  const text = Array.from({ length: 600 }, (_, index) => index)

  it('has four endings, the first of which follows its beginning in the text', () => {
    const choices = makeChoices(text, 8, 1)
    assert.equal(choices.length, 8)
    for (const { context, endings } of choices) {
      assert.equal(endings.length, 4)
      assert.deepEqual(endings[0], text.slice(context.at(-1)! + 1, context.at(-1)! + 1 + ENDING))
      assert.equal(new Set(endings.map(([first]) => first)).size, 4)
    }
    assert.equal(choiceTexts(choices).length, 32)
  })

  it('is answered correctly when the first ending is likelier than all others', () => {
    const ending = (nats: number): number[] => [nats, nats]
    const right = [-1, -2, -3, -4].map(ending)
    const wrong = [-2, -1, -3, -4].map(ending)
    const tied = [-1, -1, -3, -4].map(ending)
    assert.equal(accuracy([...right, ...wrong, ...tied, ...right]), 0.5)
  })

  it('needs a text that is long enough', () => {
    assert.throws(() => makeChoices(text.slice(0, 100), 1, 1), /too short/)
  })
})
