import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { heldOutText, keptBackTokens, tokensAnUpdate } from '../../../../src/node/driver/held-out-text.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('the text of the held-out check', () => {
  let home: Home
  let remove: () => Promise<void>
  const data = { loss: 'completions' } as const

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(() => remove())

  const configOf = (heldOut?: string) => ({
    validation: { heldOut, heldOutTokens: 1024, heldOutTimeout: 60 },
    documents: home.documents,
    data
  })

  it('is kept back from the documents by default', () => {
    const keptBack = { documents: home.documents, data, keptBack: 1024 }
    assert.deepEqual(heldOutText(configOf(), home), keptBack)
    assert.equal(keptBackTokens(configOf(), home), 1024)
    assert.equal(heldOutText({ ...configOf(), documents: undefined }, home), undefined)
  })

  it('is read from a file if there is one, and then all documents are trained on', async () => {
    await writeFile(home.heldOut, 'Some text.')
    assert.deepEqual(heldOutText(configOf(), home), { file: home.heldOut })
    assert.deepEqual(heldOutText(configOf(home.config), home), undefined)
    await writeFile(home.config, 'Other text.')
    assert.deepEqual(heldOutText(configOf(home.config), home), { file: home.config })
    assert.equal(keptBackTokens(configOf(home.config), home), undefined)
  })

  it('is empty when disabled, even if a file exists', async () => {
    assert.equal(heldOutText(configOf('0'), home), undefined)
    await writeFile(home.heldOut, 'Some text.')
    assert.equal(heldOutText(configOf('0'), home), undefined)
    assert.equal(keptBackTokens(configOf('0'), home), undefined)
  })

  it('is measured with a bounded number of tokens in total for any number of trainers', () => {
    assert.deepEqual(
      [2, 4, 7, 10, 256].map((trainers) => tokensAnUpdate(1024, trainers)),
      [1024, 1024, 585, 409, 128]
    )
    assert.equal(tokensAnUpdate(64, 7), 64)
  })
})
