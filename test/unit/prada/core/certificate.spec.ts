import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createSeededRandom } from '../../../../src/data/order/seeded-random.ts'
import {
  allowedIds,
  borderIds,
  decide,
  gumbelNoise,
  judge,
  logProbability,
  type Noise,
  partialRow,
  reachedRanks,
  remoteRow,
  roundingDeviation,
  type Scoring,
  type SharedDraw,
  wantedIds
} from '../../../../src/prada/core/index.ts'
import { drawnIds, drawScore } from '../../../../src/prada/core/remote-row.ts'
import { anySettings, randomLogits, randomPosition, SETTINGS } from '../arbitraries.ts'

const seeds = fc.nat(2 ** 31)
const sizes = fc.integer({ min: 1, max: 40 })

describe('certificate', () => {
  it('bounds every unreported id, in rounded values', () => {
    fc.assert(
      fc.property(seeds, sizes, fc.integer({ min: 1, max: 45 }), (seed, size, topK) => {
        const random = createSeededRandom(seed)
        const logits = randomLogits(random, size, 20)
        for (const precision of ['float16', 'float32'] as const) {
          const row = remoteRow(logits, size, precision)
          const wanted = [...row.keys()].filter(() => random.uniform() < 0.2)
          const { ids, values, least, tail } = partialRow(row, { topK, wanted })
          assert.deepEqual(
            values,
            ids.map((id) => row[id])
          )
          const others = [...row.keys()].filter((id) => !ids.includes(id))
          const mass = others.reduce((sum, id) => sum + Math.exp(row[id]!), 0)
          assert.ok(tail >= mass && tail <= mass * (1 + 2 ** -20) + 2 ** -140, `tail ${tail}, mass ${mass}`)
          for (const id of others) {
            assert.ok(row[id]! <= least)
            assert.ok(row[id]! === Number.NEGATIVE_INFINITY || row[id]! <= Math.log(tail) + 1e-12)
          }
        }
      })
    )
  })

  it('is certain only of what the full row decides, and becomes certain with the ids that it asks for', () => {
    const found = { certain: 0, uncertain: 0 }
    fc.assert(
      fc.property(
        seeds,
        sizes,
        fc.integer({ min: 1, max: 12 }),
        anySettings,
        (seed, size, topK, settings) => {
          const { row, scoring } = randomPosition(seed, size, settings)
          const truth = decide(row, scoring)
          const wanted = new Set<number>()
          for (let asked = 0; ; asked++) {
            const verdict = judge(
              partialRow(row, { topK, wanted: [...wanted].sort((a, b) => a - b) }),
              scoring
            )
            if (asked === 0) found[verdict.kind]++
            if (verdict.kind === 'certain') {
              assert.equal(verdict.id, truth)
              return
            }
            assert.ok(verdict.borderOpen || verdict.rivals.length > 0)
            const border = verdict.borderOpen ? borderIds(row, scoring, wanted, 5) : []
            assert.ok([...verdict.rivals, ...border].every((id) => !wanted.has(id)))
            for (const id of [...verdict.rivals.slice(0, 5), ...border]) wanted.add(id)
            assert.ok(asked <= size)
          }
        }
      ),
      { numRuns: 4_000 }
    )
    assert.ok(found.certain > 500 && found.uncertain > 500, JSON.stringify(found))
  })

  it('does not depend on unreported values', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 4, max: 30 }), anySettings, (seed, size, settings) => {
        const { row, scoring } = randomPosition(seed, size, settings)
        const told = partialRow(row, { topK: 3 })
        const verdict = judge(told, scoring)
        if (verdict.kind !== 'certain') return
        // Any other row that would have been reported in the same way.
        const random = createSeededRandom(seed + 1)
        const other = row.slice()
        const hidden = [...row.keys()].filter((id) => !told.ids.includes(id))
        let left = told.tail
        for (const id of hidden.sort(() => random.uniform() - 0.5)) {
          const share = Math.min(Math.exp(told.least), left) * random.uniform()
          other[id] = Math.min(told.least, share > 0 ? Math.log(share) : Number.NEGATIVE_INFINITY)
          left -= Math.exp(other[id])
        }
        assert.equal(decide(other, scoring), verdict.id)
      }),
      { numRuns: 3_000 }
    )
  })

  it('covers every id that was not drawn, and settles most draws', () => {
    const certain = { alone: 0, drawn: 0 }
    const positions = 400
    for (let seed = 0; seed < positions; seed++) {
      const { row, scoring } = randomPosition(seed, 300, { temperature: 1 })
      const small = { ...scoring, offset: scoring.offset.map((value) => value / 4) }
      const draw = drawOf(small, 8)!
      const part = partialRow(row, { topK: 1, draw })
      const least = Math.min(...drawnIds(row, draw).map((id) => drawScore(row[id]!, id, 1, draw.noise)))
      for (const [id, value] of row.entries())
        assert.ok(part.ids.includes(id) || drawScore(value, id, 1, draw.noise) <= least)
      const verdict = judge(part, small)
      if (verdict.kind === 'certain') {
        certain.drawn++
        assert.equal(verdict.id, decide(row, small))
      }
      if (judge(partialRow(row, { topK: 8 }), small).kind === 'certain') certain.alone++
    }
    assert.ok(certain.drawn > 0.8 * positions && certain.drawn > 1.5 * certain.alone, JSON.stringify(certain))
  })

  it('settles most top-p draws if the ranks reach as far as the winner requires', () => {
    const settings = { temperature: 0.7, topP: 0.9 }
    const seen = { alone: 0, reached: 0, ids: 0, ranks: 0 }
    const positions = 400
    for (let seed = 0; seed < positions; seed++) {
      const random = createSeededRandom(seed)
      const row = remoteRow(randomLogits(random, 300, 2.5), 300, 'float16')
      const offset = Float64Array.from(row, () => random.normal() / 3)
      const scoring = { settings, offset, noise: gumbelNoise(seed, 3) }
      const draw = drawOf(scoring, 12)!
      const topK = reachedRanks(row, 8, draw, { perRank: 4, most: 100 })
      const winner = drawnIds(row, draw)[0]!
      const rank = [...row].filter(
        (value, id) => value > row[winner]! || (value === row[winner] && id < winner)
      )
      assert.equal(topK, Math.min(100, 8 + 4 * rank.length))
      const part = partialRow(row, { topK, draw })
      assert.ok(part.ids.includes(winner))
      const verdict = judge(part, scoring)
      seen.ids += topK
      if (verdict.kind === 'certain') {
        seen.reached++
        assert.equal(verdict.id, decide(row, scoring))
      }
    }
    const same = Math.round(seen.ids / positions)
    for (let seed = 0; seed < positions; seed++) {
      const random = createSeededRandom(seed)
      const row = remoteRow(randomLogits(random, 300, 2.5), 300, 'float16')
      const offset = Float64Array.from(row, () => random.normal() / 3)
      const scoring = { settings, offset, noise: gumbelNoise(seed, 3) }
      const part = partialRow(row, { topK: same, draw: drawOf(scoring, 12)! })
      if (judge(part, scoring).kind === 'certain') seen.alone++
    }
    assert.ok(seen.reached > 1.05 * seen.alone, JSON.stringify({ ...seen, same }))
  })

  it('gives log-probabilities as intervals around the true value, and as points from a full row', () => {
    fc.assert(
      fc.property(seeds, sizes, fc.integer({ min: 1, max: 12 }), (seed, size, topK) => {
        const { row, scoring } = randomPosition(seed, size, { temperature: 1 })
        const scores = [...row.keys()].map((id) => row[id]! + scoring.offset[id]!)
        const highest = Math.max(...scores)
        const total = highest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - highest), 0))
        const part = partialRow(row, { topK })
        for (const id of row.keys()) {
          const whole = logProbability(partialRow(row, { topK: size }), scoring, id)!
          if (row[id] === Number.NEGATIVE_INFINITY) continue
          assert.ok(Math.abs(whole.low - (scores[id]! - total)) < 1e-9 && whole.high - whole.low < 1e-8)
          const interval = logProbability(part, scoring, id)
          assert.equal(interval === undefined, !part.ids.includes(id))
          if (interval === undefined) continue
          assert.ok(interval.low <= scores[id]! - total + 1e-8 && interval.high >= scores[id]! - total - 1e-8)
        }
      })
    )
  })
})

describe('the ids requested in advance', () => {
  it('are few, sorted and unique, and make positions certain', () => {
    let [plain, helped, positions] = [0, 0, 0]
    for (let seed = 0; seed < 300; seed++) {
      const settings = { temperature: 1 }
      const { row, scoring } = randomPosition(seed, 200, settings)
      const random = createSeededRandom(seed)
      const expected = row.map((value) => value + random.normal() * 0.3)
      const wanted = wantedIds(expected, scoring, { topK: 8, drawn: 0, most: 24, margin: 1 })
      assert.ok(wanted.length <= 24 && wanted.every((id, place) => place === 0 || id > wanted[place - 1]!))
      positions++
      if (judge(partialRow(row, { topK: 8 }), scoring).kind === 'certain') plain++
      if (judge(partialRow(row, { topK: 8, wanted }), scoring).kind === 'certain') helped++
    }
    assert.ok(helped > plain + positions / 10, `${plain} of ${positions} without, ${helped} with them`)
    const { row, scoring } = randomPosition(1, 20, { temperature: 1 })
    assert.deepEqual(wantedIds(row, scoring, { topK: 2, drawn: 0, most: 0, margin: 1 }), [])
  })
})

describe('decision', () => {
  for (const [name, settings] of Object.entries(SETTINGS))
    it(`${name}: samples the combined distribution (G-test)`, () => {
      const size = 9
      const { row, scoring } = randomPosition(1234, size, settings)
      const kept = settings.temperature === 0 ? [] : allowedIds(row, scoring)
      assert.ok(settings.temperature === 0 || kept.length > 1)
      const shares = new Map(kept.map(({ id, scaled }) => [id, Math.exp(scaled - kept[0]!.scaled)]))
      if (settings.temperature === 0) {
        const scores = [...row.keys()].map((id) => row[id]! + scoring.offset[id]!)
        shares.set(scores.indexOf(Math.max(...scores)), 1)
      }
      const total = [...shares.values()].reduce((sum, share) => sum + share, 0)
      const draws = 20_000
      const counts = new Map<number, number>()
      for (let position = 0; position < draws; position++) {
        const id = decide(row, { ...scoring, noise: drawAt(position) })
        counts.set(id, (counts.get(id) ?? 0) + 1)
      }
      let g = 0
      for (const [id, count] of counts) {
        assert.ok(shares.has(id), `${id} lies outside of what the filters leave`)
        g += 2 * count * Math.log((count * total) / (draws * shares.get(id)!))
      }
      // Beyond the 99.9th percentile of chi-squared with up to 8 degrees of freedom.
      assert.ok(g < 26.1, `G ${g}`)
    })
})

function drawOf({ settings: { temperature }, noise }: Scoring, count: number): SharedDraw | undefined {
  return temperature === 0 ? undefined : { count, temperature, noise }
}

function drawAt(position: number): Noise {
  return gumbelNoise(99, position)
}

describe('rounding', () => {
  it('changes a distribution by no more than its bound', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, size) => {
        const logits = randomLogits(createSeededRandom(seed), size, 5)
        const half = roundingDeviation(logits, size, 'float16')
        assert.ok(half.totalVariation <= Math.tanh(half.epsilon / 2) + 1e-12)
        assert.ok(half.epsilon <= 0.02)
        assert.ok(roundingDeviation(logits, size, 'float32').epsilon < 1e-5)
      })
    )
  })
})
