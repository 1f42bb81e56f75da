import assert from 'node:assert/strict'
import { marginMarkdown, marginRows } from '../../../../lab/held-out-margin/margin-report.ts'
import type { Measurement, Sent } from '../../../../lab/held-out-margin/margin-rounds.ts'

/** What an update of member 0 does to the text of the others; its own gains. */
function judged(sent: Sent, round: number, ...harms: number[]): Measurement[] {
  return [-1, ...harms].map((harm, judge) => ({
    ...{ round, sent, author: 0, judge, harm, share: harm / 4 },
    ...{ amplified: [2, 4, 8].map((weight) => weight * harm), agreement: -harm }
  }))
}

describe('the report of the held-out margin', () => {
  const found = [
    ...judged('honest', 1, 0.1, -0.2, 0.6),
    ...judged('honest', 2, 0.2, 0.3, 0),
    ...judged('label-flipped', 2, 2, 0.7, -1)
  ]

  it('counts refusals by single members, and updates left without a quorum of four', () => {
    const [honest, flipped, ...rest] = marginRows('testnet', 4, found, 0.5)
    assert.equal(rest.length, 0)
    // The second most harmed decides: one refusal leaves a quorum of three.
    assert.deepEqual(honest, {
      ...{ federation: 'testnet', members: 4, rounds: 2, sent: 'honest', updates: 2 },
      ...{ least: -0.2, median: 0.1, most: 0.6, leastDecisive: 0.1, medianDecisive: 0.1 },
      ...{ mostAtShare: 0.15, refusedUpdates: 0, refusals: 1 / 6 }
    })
    assert.deepEqual([flipped!.leastDecisive, flipped!.refusedUpdates], [0.7, 1])
  })

  it('uses the third most harmed of six members: quorums are four', () => {
    const six = judged('targeted', 1, 2, 0.6, 0.4, 0, 0)
    const [row] = marginRows('medquad', 6, six, 0.5)
    assert.deepEqual([row!.leastDecisive, row!.refusedUpdates], [0.4, 0])
  })

  it('is rendered as a table', () => {
    const text = marginMarkdown(marginRows('testnet', 4, found, 0.5), 0.5, 1024)
    assert.match(text, /\| testnet \| 2 \| honest \| 2 \| −0\.200 \| \+0\.100 \| \+0\.600 /)
  })
})
