import assert from 'node:assert/strict'
import { createSeededRandom } from '../../../../src/data/order/seeded-random.ts'
import {
  bestDraftLength,
  createDraftLength,
  DRAFTS_MAX,
  expectedTime,
  expectedTokens
} from '../../../../src/prada/core/index.ts'

interface Line {
  readonly roundTripMs: number
  readonly acceptance: number
  readonly draftMs: number
  readonly positionMs: number
}

/** Tokens per second over many round trips on a connection, with the draft lengths that `next` chooses. */
function rate(
  line: Line,
  trips: number,
  seed: number,
  next: () => number,
  learn?: (trip: Trip) => void
): number {
  const random = createSeededRandom(seed)
  let [tokens, time] = [0, 0]
  for (let trip = 0; trip < trips; trip++) {
    const drafts = next()
    let accepted = 0
    while (accepted < drafts && random.uniform() < line.acceptance) accepted++
    const draftMs = drafts * line.draftMs
    // The connection and both machines vary a little every time.
    const tripMs = (line.roundTripMs + 3 + (drafts + 1) * line.positionMs) * (0.9 + 0.2 * random.uniform())
    learn?.({ drafts, accepted, draftMs, tripMs })
    tokens += accepted + 1
    time += draftMs + tripMs
  }
  return (tokens / time) * 1_000
}

interface Trip {
  readonly drafts: number
  readonly accepted: number
  readonly draftMs: number
  readonly tripMs: number
}

describe('draft length', () => {
  it('estimates the tokens and the time of a round trip', () => {
    assert.equal(expectedTokens(0, 5), 1)
    assert.equal(expectedTokens(1, 5), 6)
    assert.ok(Math.abs(expectedTokens(0.5, 2) - 1.75) < 1e-12)
    assert.equal(expectedTime({ acceptance: 0.5, draftMs: 2, tripMs: 50, positionMs: 1 }, 3), 6 + 50 + 4)
  })

  it('is 0 if drafts are never accepted, and the maximum if they are free and always accepted', () => {
    assert.equal(bestDraftLength({ acceptance: 0, draftMs: 1, tripMs: 50, positionMs: 1 }), 0)
    assert.equal(bestDraftLength({ acceptance: 1, draftMs: 0, tripMs: 50, positionMs: 1 }), DRAFTS_MAX)
  })

  for (const roundTripMs of [0, 20, 50, 200])
    for (const acceptance of [0.3, 0.6, 0.85])
      it(`comes within 10 % of the best fixed one: ${roundTripMs} ms, acceptance ${acceptance}`, () => {
        const line = { roundTripMs, acceptance, draftMs: 2, positionMs: 0.7 }
        const fixed = Array.from({ length: DRAFTS_MAX + 1 }, (_, drafts) =>
          rate(line, 1_500, 5, () => drafts)
        )
        const chooser = createDraftLength()
        const own = rate(line, 1_500, 6, chooser.next, chooser.learn)
        const best = Math.max(...fixed)
        assert.ok(
          own >= 0.9 * best,
          `${own.toFixed(1)} tokens/s, the best fixed length gives ${best.toFixed(1)}`
        )
      })
})
