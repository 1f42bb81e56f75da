import assert from 'node:assert/strict'
import type { Measurement, Sent } from '../../../../lab/held-out-margin/margin-rounds.ts'
import { signalsMarkdown } from '../../../../lab/held-out-margin/signals-report.ts'

function judged(sent: Sent, author: number, agreement: number, ...harms: number[]): Measurement[] {
  return harms.map((harm, judge) => ({
    ...{ round: 1, sent, author, judge, harm, share: harm, agreement },
    amplified: [2, 4, 8].map((weight) => weight * weight * harm)
  }))
}

describe('the report on other signs of poison', () => {
  const text = signalsMarkdown([
    {
      ...{ name: 'short', members: 4 },
      found: [
        ...judged('honest', 0, 0.1, 0, 0.1, 0.2, 0.3),
        ...judged('honest', 1, -0.2, 0.1, 0, 0.1, 0.1),
        ...judged('targeted', 2, -0.3, 0.3, 0.3, 0, 0.4),
        ...judged('targeted', 3, 0, 0.05, 0.05, 0.05, 0)
      ]
    }
  ])

  it('counts poison that agrees less than any honest update', () => {
    assert.match(text, /\| short \| 1 \| honest \| 2 \| −0\.200 \| −0\.200 \| \+0\.100 \| {2}\|/)
    assert.match(text, /\| short \| 1 \| targeted \| 2 \| −0\.300 \| −0\.300 \| \+0\.000 \| 1 \|/)
  })

  it('counts poison that does more harm than any honest update, at each weight', () => {
    assert.match(text, /\| honest \| 1 \| \+0\.100 \| \+0\.100 \| \+0\.200 \| {2}\|/)
    assert.match(text, /\| targeted \| 4 \| \+0\.800 \| \+0\.800 \| \+4\.800 \| 1 of 2 \|/)
  })
})
