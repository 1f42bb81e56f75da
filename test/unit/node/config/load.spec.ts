import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { alphaOf, effectiveSettings, loadPeerConfig, SETTINGS } from '../../../../src/node/config/index.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import { PeerError } from '../../../../src/node/storage/peer-error.ts'
import { temporaryHome } from '../temporary-home.ts'

describe("a peer's settings", () => {
  let home: Home
  let remove: () => Promise<void>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(() => remove())

  const defaults = { model: '/base', documents: '/documents' }
  const write = (settings: object) => writeFile(home.config, JSON.stringify(settings))

  it('come from flags, then peer.json, then defaults, and record their source', async () => {
    await write({
      adapter: { rank: 4 },
      documents: '/mine',
      training: { steps: 10, batchSize: 2 },
      network: { listen: ['/ip4/1.2.3.4/tcp/1'] }
    })
    const flags = { 'adapter.rank': 2, 'adapter.alpha': undefined, 'training.batchSize': 3 }
    const { config, sources } = await effectiveSettings(home, { flags, defaults })
    assert.equal(config.adapter.rank, 2)
    assert.equal(config.documents, '/mine')
    assert.equal(config.model, '/base')
    assert.deepEqual(config.network.listen, ['/ip4/1.2.3.4/tcp/1'])
    assert.deepEqual([config.training.steps, config.training.batchSize], [10, 3])
    assert.equal(config.training.sequenceLength, 128)
    assert.equal(alphaOf(config.adapter), 4)
    assert.equal(alphaOf({ rank: 2, alpha: 7 }), 7)
    const expected = {
      'adapter.rank': 'flag',
      'adapter.alpha': 'default',
      documents: 'file',
      model: 'default',
      'training.steps': 'file',
      'training.batchSize': 'flag',
      'training.threads': 'default'
    }
    for (const [key, source] of Object.entries(expected)) assert.equal(sources.get(key), source, key)
    assert.equal(sources.size, SETTINGS.length)
  })

  it('do not require a file', async () => {
    assert.equal((await loadPeerConfig(home, {}, defaults)).adapter.rank, 8)
  })

  for (const [text, message] of [
    ['null', /peer\.json cannot be read \(it must contain one JSON object\)/],
    ['[]', /peer\.json cannot be read/],
    ['{', /peer\.json cannot be read .*fix it/],
    ['{"training":3}', /peer\.json: training must be an object of settings/],
    ['{"adapter":{"rank":"four"}}', /peer\.json: adapter\.rank must be a positive integer, got "four"/],
    ['{"rank":1}', /unknown setting rank; did you mean adapter\.rank/],
    ['{"mdns":false}', /unknown setting mdns; did you mean network\.mdns/],
    ['{"ranks":4}', /peer\.json: unknown setting ranks; did you mean adapter\.rank\?/],
    ['{"training":{"stepz":4}}', /unknown setting training\.stepz; did you mean training\.steps\?/],
    [
      '{"network":{"batch_size":4}}',
      /unknown setting network\.batch_size; did you mean training\.batchSize\?/
    ],
    ['{"zebra":{}}', /unknown setting zebra; loam config print lists all settings/],
    ['{"version":2}', /peer\.json: version: /],
    ['{"network":{"listen":["/ip4/1.2.3.4/tcp/1","nowhere"]}}', /network\.listen nowhere is not a multiaddr/],
    ['{"network":{"bootstrap":["/ip4/1.2.3.4/tcp/1"]}}', /network\.bootstrap .* must end in \/p2p\/PEERID/],
    ['{"control":{"token":"x"}}', /control\.token is a secret .* set LOAM_CONTROL_TOKEN/],
    ['{"log":{"level":"loud"}}', /log\.level must be debug, info, warn, error, .* got "loud"/],
    ['{"storage":{"pruneEvery":"3 weeks"}}', /storage\.pruneEvery must be a time such as/]
  ] as const) {
    it(`refuse ${text}, and leave the file unchanged`, async () => {
      await writeFile(home.config, text)
      await assert.rejects(loadPeerConfig(home, {}, defaults), (error: Error) => {
        assert(error instanceof PeerError)
        assert.match(error.message, message)
        return true
      })
      assert.equal(await readFile(home.config, 'utf8'), text)
    })
  }

  it('report all faults at once', async () => {
    await write({ adapter: { rank: 0 }, training: { steps: 'many' } })
    await assert.rejects(loadPeerConfig(home, {}, defaults), /adapter\.rank .*; .*training\.steps/)
  })

  it('blame the flag for an invalid flag', async () => {
    await assert.rejects(loadPeerConfig(home, { 'adapter.rank': 0 }, defaults), /^SettingsError: --rank must/)
    await assert.rejects(
      loadPeerConfig(home, { 'storage.keepYoung': -1 }, defaults),
      /^SettingsError: --set storage\.keepYoung must/
    )
    await assert.rejects(loadPeerConfig(home, { 'adapter.rang': 0 }, defaults), /did you mean adapter\.rank/)
  })

  it('read secrets from the environment, and never print an invalid one', async () => {
    const token = 'x'.repeat(40)
    const { config, sources } = await effectiveSettings(home, {
      defaults,
      environment: { LOAM_CONTROL_TOKEN: token }
    })
    assert.equal(config.control.token, token)
    assert.equal(sources.get('control.token'), 'environment')
    const short = effectiveSettings(home, { defaults, environment: { LOAM_CONTROL_TOKEN: 'hunter2' } })
    await assert.rejects(short, (error: Error) => {
      assert.match(error.message, /LOAM_CONTROL_TOKEN must be a text of at least 32 characters/)
      assert(!error.message.includes('hunter2'))
      return true
    })
  })

  it('accept times and sizes with units', async () => {
    await write({ storage: { pruneEvery: '15 min' }, log: { maxSize: '1.5 MiB' } })
    const { storage, log } = await loadPeerConfig(home, {}, defaults)
    assert.deepEqual([storage.pruneEvery, log.maxSize], [900, 1_572_864])
  })
})
