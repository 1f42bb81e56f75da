import assert from 'node:assert/strict'
import { bestRound, roundModel } from '../../../../src/node/export/round-model.ts'
import { saveEvaluation } from '../../../../src/node/home/evaluation-file.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('the choice of a round', () => {
  let home: Home
  let remove: () => Promise<void>
  const TEXT = '0123456789abcdef'

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(() => remove())

  /** Stores the loss of the model that a round starts from. */
  const measured = (round: number, start: number | null, text = TEXT) =>
    saveEvaluation(home, { version: 1, round, text, tokens: 10, base: 5, start, own: null, updates: [] })

  it('selects the earliest round with the lowest loss of the sealed model', async () => {
    await measured(1, 1)
    await measured(2, 4)
    await measured(3, 3.5)
    await measured(4, 3.5)
    await measured(6, 3.6)
    assert.equal(await bestRound(home, 5), 2)
  })

  it('compares only losses on the most recent held-out text', async () => {
    await measured(2, 1, 'fedcba9876543210')
    await measured(3, 4)
    await measured(4, null)
    assert.equal(await bestRound(home, 3), 2)
  })

  it('rejects a home without measurements, and a folder that is not a home', async () => {
    await measured(1, 3)
    await assert.rejects(bestRound(home, 4), /no sealed model .* name a round/)
    await assert.rejects(roundModel(home), /it has no charter\.cbor/)
  })
})
