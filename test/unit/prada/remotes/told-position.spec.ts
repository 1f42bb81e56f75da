import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createSeededRandom } from '../../../../src/data/order/seeded-random.ts'
import { decide, judge } from '../../../../src/prada/core/index.ts'
import { createTokenNames } from '../../../../src/prada/remotes/completions/token-names.ts'
import { recordOf, type ToldPosition } from '../../../../src/prada/remotes/completions/told-position.ts'
import { anySettings, randomPosition } from '../arbitraries.ts'

const SIZE = 50

/** What a server would report of a row, with some names that match no id, and some that match several. */
function tell(row: Float32Array, topK: number, seed: number, lossy: boolean): ToldPosition {
  const random = createSeededRandom(seed)
  const sum = row.reduce((total, value) => total + Math.exp(value), 0)
  const all = [...row]
    .map((value, id) => ({ id, logProbability: value - Math.log(sum) }))
    .filter(({ logProbability }) => logProbability > -100)
    .sort((a, b) => b.logProbability - a.logProbability)
  const taken = all[Math.floor(random.uniform() * all.length)]!
  const told = all.filter((entry, rank) => rank < topK || entry === taken)
  const named = told.map((entry) => ({
    ...entry,
    id: lossy && random.uniform() < 0.2 ? undefined : entry.id
  }))
  const kept = named.filter(({ id }, place) => id !== undefined || !lossy || place % 2 === 0)
  return {
    taken: taken.id,
    tokens: kept,
    incomplete: kept.some(({ id }) => id === undefined) || kept.length < told.length
  }
}

describe('positions reported by a completion server', () => {
  for (const lossy of [false, true])
    it(`are called certain only if the full row decides the same${lossy ? ', even with lost names' : ''}`, () => {
      let certain = 0
      fc.assert(
        fc.property(
          fc.integer({ min: 0, max: 1e6 }),
          anySettings,
          fc.constantFrom(3, 10, 30),
          (seed, settings, topK) => {
            const { row, scoring } = randomPosition(seed, SIZE, settings)
            const told = tell(row, topK, seed, lossy)
            const record = recordOf(told, [], SIZE, topK)
            assert.ok(record.kind === 'part')
            const verdict = judge(record.part, scoring)
            if (verdict.kind !== 'certain') return
            certain++
            assert.equal(verdict.id, decide(relative(row), scoring))
          }
        ),
        { numRuns: 1_500 }
      )
      assert.ok(certain > 100, `${certain}`)
    })

  const GARBAGE: Record<string, [ToldPosition['tokens'], RegExp]> = {
    'a probability above 1': [[{ id: 1, logProbability: 0.5 }], /log-probability of 0.5/],
    'more than 1 in all': [
      [
        { id: 1, logProbability: -0.1 },
        { id: 2, logProbability: -0.2 }
      ],
      /add up to/
    ],
    'fewer tokens than it was asked for': [
      [{ id: 1, logProbability: -1 }],
      /the likeliest 1 tokens, where 2/
    ],
    'a token twice': [
      [
        { id: 1, logProbability: -2 },
        { id: 1, logProbability: -2 }
      ],
      /told twice/
    ]
  }
  for (const [name, [tokens, message]] of Object.entries(GARBAGE))
    it(`are refused with ${name}`, () =>
      assert.throws(() => recordOf({ taken: 1, tokens, incomplete: false }, [], SIZE, 2), message))

  it('are refused as a full row with a missing id', () =>
    assert.throws(
      () => recordOf({ taken: 1, tokens: [{ id: 1, logProbability: 0 }], incomplete: false }, 'row', 2, 2),
      /whole row without token 0/
    ))
})

/** The values sent to the client: those of a row minus its highest. */
function relative(row: Float32Array): Float32Array {
  const sum = row.reduce((total, value) => total + Math.exp(value), 0)
  const logged = [...row].map((value) => value - Math.log(sum))
  const highest = Math.max(...logged)
  return Float32Array.from(logged, (value) => (value > -100 ? value - highest : Number.NEGATIVE_INFINITY))
}

describe('token names', () => {
  const bytes = (...values: (string | number[])[]): Uint8Array[] =>
    values.map((value) =>
      typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value)
    )
  const names = createTokenNames({
    type: 'BPE',
    bosId: 0,
    eosId: 0,
    tokens: bytes('<s>', ' the', ' ', [0x20, 0xe2, 0x80], [0xe2], [0xc3], 'x')
  })

  it('are ids, bytes or texts', () => {
    assert.equal(names.idOf({ id: 1, text: ' the' }), 1)
    assert.equal(names.idOf({ text: 'token_id:6' }), 6)
    assert.equal(names.idOf({ bytes: [0xe2], text: '\uFFFD' }), 4)
    assert.equal(names.idOf({ text: 'x' }), 6)
  })

  it('match no id when several ids are displayed alike', () => {
    for (const text of [' ', '\uFFFD', '', 'y']) assert.equal(names.idOf({ text }), undefined, text)
  })

  it('are refused if the server numbers tokens differently', () =>
    assert.throws(
      () => names.idOf({ id: 6, bytes: [0x79] }),
      /id 6 is "x" for the proxy and "y" for the remote/
    ))

  it('turn ids into text, but not partial characters', () => {
    assert.equal(names.textOf([1, 2, 6]), ' the x')
    assert.equal(names.textOf([6, 4]), undefined)
  })
})
