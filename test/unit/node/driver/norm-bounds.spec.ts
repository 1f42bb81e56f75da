import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { normBounds, saveNorms } from '../../../../src/node/driver/norm-bounds.ts'
import { type Home, roundFiles } from '../../../../src/node/home/home.ts'
import type { Charter } from '../../../../src/protocol/index.ts'
import { memoryLog } from '../memory-log.ts'
import { type OneMember, oneMember } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('norm bounds', () => {
  let home: Home
  let remove: () => Promise<void>
  let member: OneMember
  let charter: Charter

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    member = await oneMember(home)
    charter = { ...member.charter.charter, norm: { factor: 10, absolute: 1000 } }
    for (const round of [1, 2, 3, 4, 5, 6, 7]) await mkdir(roundFiles(home, round).folder)
  })
  afterEach(() => remove())

  it('equal the absolute cap before the first round', async () => {
    assert.deepEqual(await normBounds(home, charter, 1, memoryLog()), { absolute: 1000, byModule: {} })
  })

  it('are the factor times the smallest median of the last five rounds that were not void', async () => {
    await saveNorms(home, 1, { q: 2, v: 3 })
    assert.deepEqual(await normBounds(home, charter, 3, memoryLog()), {
      absolute: 1000,
      byModule: { q: 20, v: 30 }
    })
    await saveNorms(home, 3, { q: 50 })
    assert.deepEqual((await normBounds(home, charter, 4, memoryLog())).byModule, { q: 20, v: 30 })
    for (const round of [4, 5, 6, 7]) await saveNorms(home, round, { q: 10 * round, v: 2 })
    assert.deepEqual((await normBounds(home, charter, 8, memoryLog())).byModule, { q: 400, v: 20 })
  })

  it('never exceed the absolute cap', async () => {
    await saveNorms(home, 1, { q: 101, v: 100 })
    assert.deepEqual((await normBounds(home, charter, 2, memoryLog())).byModule, { q: 1000, v: 1000 })
  })

  it('do not apply to a module whose median is zero', async () => {
    await saveNorms(home, 1, { q: 0, v: 3 })
    assert.deepEqual((await normBounds(home, charter, 2, memoryLog())).byModule, { v: 30 })
  })

  for (const text of ['', 'null', '{"q":"1"}', '{"q":-1}']) {
    it(`fall back to an earlier round when a file is damaged, and move it aside: ${JSON.stringify(text)}`, async () => {
      await saveNorms(home, 1, { q: 2 })
      const { norms } = roundFiles(home, 2)
      await writeFile(norms, text)
      const log = memoryLog()
      for (let again = 0; again < 2; again++)
        assert.deepEqual((await normBounds(home, charter, 3, log)).byModule, { q: 20 })
      assert.equal(await readFile(`${norms}.damaged`, 'utf8'), text)
      assert.equal(log.messages.length, 1)
      assert.match(log.messages[0]!, /damaged.*rounds.+2.+norms\.json\.damaged/)
    })
  }
})
