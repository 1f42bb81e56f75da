import assert from 'node:assert/strict'
import type { FinishedRun } from '../../../../lab/poison/finished-runs.ts'
import type { PoisonAttack } from '../../../../lab/poison/poison-attacks.ts'
import type { PoisonDefence } from '../../../../lab/poison/poison-defences.ts'
import { finishedRows } from '../../../../lab/poison/poison-matrix.ts'
import { poisonMarkdown } from '../../../../lab/poison/poison-report.ts'
import { CHARTER_DEFAULTS } from '../../../../src/node/consortium/charter-defaults.ts'

function run(attack: PoisonAttack, defence: PoisonDefence, loss: number, seed = 1): FinishedRun {
  return {
    ...{ model: '', training: 'short', members: 4, rounds: 10, seed, attack, defence, loss, baseLoss: 4 },
    poisoners: attack === 'none' ? 0 : 1,
    margin: defence === 'default' ? CHARTER_DEFAULTS.heldOutMargin : 0,
    ...{ poisonStacked: defence === 'default' ? 2 : 10, honestLeftOut: 0 }
  }
}

describe('the report on poison', () => {
  const runs = [
    run('none', 'none', 3.8),
    run('none', 'none', 3.82, 2),
    run('none', 'default', 3.801),
    run('adaptive', 'none', 7),
    run('adaptive', 'default', 3.805),
    run('label-flipped', 'default', 3.83),
    // Without an honest run of its seed there is nothing to compare with.
    run('label-flipped', 'default', 9, 3)
  ]

  it('has losses, shares of the honest gain, and what was stacked', () => {
    const text = poisonMarkdown(runs)
    assert.match(text, /\| adaptive \| 3\.8050 \(2\.5 %\) \| 7\.0000 \(1600\.0 %\) \| 2 of 10, 0 of 30 \|/)
    assert.match(text, /\| short \| 3 \| 10 \| 1 \| 3\.8100 \| \+0\.0010 \| \+0\.0010 \| 0\.0200 \|/)
  })

  it('lists the attacks for which the goal is met and missed', () => {
    assert.match(
      poisonMarkdown(runs),
      /reached adaptive \(\+0\.0050, 2\.5 %\); missed label-flipped \(\+0\.0300, 15\.0 %\)\./
    )
  })

  it('says what honest members in the place of the poisoners cost, and what an attack adds to that', () => {
    const text = poisonMarkdown([...runs, run('honest', 'default', 3.802)])
    assert.match(
      text,
      /place of the poisoners: \+0\.0020, 1\.0 %; so an attack adds adaptive \+0\.0030, label-flipped \+0\.0280\./
    )
    assert.match(text, /reached adaptive \(\+0\.0050, 2\.5 %\); missed label-flipped/, 'it is no attack')
  })

  it('omits runs with another margin than the default of new charters', () => {
    const other = { ...run('scaled', 'default', 3.81), margin: 0.1 }
    assert.doesNotMatch(poisonMarkdown([...runs, other]), /\| scaled \|/)
  })

  it('compares each run with that of the honest members alone', () => {
    const rows = finishedRows(runs)
    assert.deepEqual(
      rows.map(({ seed, honestLoss }) => [seed, honestLoss]),
      [
        [1, 3.8],
        [2, 3.82],
        [1, 3.8],
        [1, 3.8],
        [1, 3.8],
        [1, 3.8]
      ]
    )
  })
})
