import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initialiseModel, parseModelConfig, saveBaseModel } from '../../../src/model/index.ts'
import { readJsonObject } from '../../../src/model/read-json.ts'
import { packageRoot } from '../../../src/package-root.ts'
import { TINY_CONFIG } from '../../unit/model/tiny-llama.ts'
import { splitWeights } from '../../unit/node/split-weights.ts'
import { loam } from '../cli/loam.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const SHIPPED = join(packageRoot(), 'models', 'loam-base-1m')

describe('a peer without the base model', function () {
  this.timeout(180_000)
  let folder: string
  let network: PeerNetwork

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-other-base-'))
    const { vocabularySize } = parseModelConfig(readJsonObject(join(SHIPPED, 'config.json')))
    const config = { ...TINY_CONFIG, vocabularySize, bosId: 0, eosId: 0 }
    saveBaseModel(folder, {
      config,
      weights: initialiseModel(config, 11),
      tokenizerJson: readJsonObject(join(SHIPPED, 'tokenizer.json')),
      tokenizerConfigJson: readJsonObject(join(SHIPPED, 'tokenizer_config.json'))
    })
    await splitWeights(folder, 2)
    // A busy machine must not leave the last to start out of every cut.
    network = await PeerNetwork.prepare(4, { timeouts: { gatherMs: 30_000, graceMs: 15_000 } }, folder)
  })
  after(async () => {
    await network?.end()
    await rm(folder, { recursive: true, force: true })
  })

  it('gets it from members by the charter and an address, and is in a cut', async () => {
    const { home, peerId } = network.prepared.peers[3]!
    const { model, ...settings } = JSON.parse(await readFile(home.config, 'utf8'))
    assert.equal(model, folder)
    await writeFile(home.config, JSON.stringify(settings))
    const checked = await loam('config', 'check', '--home', home.folder, '--json')
    assert.equal(checked.code, 0, checked.stderr)
    assert.match(checked.stderr, /loam peer will fetch it from members/)
    await network.start(0, 1, 2)
    await network.start(3)
    await network.until(() =>
      network.watches[0]!.sealed.some(({ cut }) => cut.some((entry) => entry.peerId === peerId))
    )
    assert(agree(network.watches))
    assert.deepEqual((await readdir(home.base)).sort(), [
      'config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
      'tokenizer.json',
      'tokenizer_config.json'
    ])
    assert(!existsSync(home.basePartial))
  })

  it('has it when it starts again, and does not ask for it anew', async () => {
    const { home } = network.prepared.peers[3]!
    assert.equal(await network.stop(3), 0)
    const last = network.lastSealed(3)
    await network.startAlone(3)
    await network.untilSealed(last + 1, 3)
    const log = await readFile(home.log, 'utf8')
    assert.equal(log.split('the base model is fetched from members').length, 2)
  })
})
