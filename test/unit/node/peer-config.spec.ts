import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { PeerError } from '../../../src/node/errors.ts'
import type { Home } from '../../../src/node/home.ts'
import { alphaOf, loadPeerConfig } from '../../../src/node/peer-config.ts'
import { temporaryHome } from './temporary-home.ts'

describe("a peer's settings", () => {
  let home: Home
  let remove: () => Promise<void>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(() => remove())

  const defaults = { model: '/base', documents: '/documents' }

  it('come from the flags, then peer.json, then the defaults', async () => {
    const settings = {
      rank: 4,
      documents: '/mine',
      training: { steps: 10, batchSize: 2 },
      bootstrap: ['/ip4/1.2.3.4']
    }
    await writeFile(home.config, JSON.stringify(settings))
    const overrides = { rank: 2, alpha: undefined, training: { steps: undefined, batchSize: 3 } }
    const config = await loadPeerConfig(home, overrides, defaults)
    assert.equal(config.rank, 2)
    assert.equal(config.documents, '/mine')
    assert.equal(config.model, '/base')
    assert.deepEqual(config.bootstrap, ['/ip4/1.2.3.4'])
    assert.deepEqual([config.training.steps, config.training.batchSize], [10, 3])
    assert.equal(config.training.sequenceLength, 128)
    assert.equal(alphaOf(config), 4)
    assert.equal(alphaOf({ ...config, alpha: 7 }), 7)
  })

  it('need no file', async () => {
    assert.equal((await loadPeerConfig(home, {}, defaults)).rank, 8)
  })

  for (const [text, message] of [
    ['null', /peer\.json cannot be read \(it must hold one JSON object\)/],
    ['[]', /peer\.json cannot be read/],
    ['{"training":3}', /peer\.json cannot be read/],
    ['{', /peer\.json cannot be read .*mend it/],
    ['{"rank":"four"}', /peer\.json: rank: .*number/],
    ['{"ranks":4}', /peer\.json: settings: .*ranks/],
    ['{"training":{"stepz":4}}', /peer\.json: training: .*stepz/]
  ] as const) {
    it(`refuse ${text}, and leave the file as it is`, async () => {
      await writeFile(home.config, text)
      await assert.rejects(loadPeerConfig(home, {}, defaults), (error: Error) => {
        assert(error instanceof PeerError)
        assert.match(error.message, message)
        return true
      })
      assert.equal(await readFile(home.config, 'utf8'), text)
    })
  }

  it('say that it was a flag that does not fit, where it was one', async () => {
    await assert.rejects(loadPeerConfig(home, { rank: 0 }, defaults), /the flags: rank/)
  })
})
