import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { loadPeerConfig } from '../../../src/node/config/index.ts'
import { lockHome } from '../../../src/node/home/process-lock.ts'
import { dialMember } from '../../../src/node/services/dial-member.ts'
import { type OpenedRemote, openRemote } from '../../../src/prada/remotes/index.ts'
import { DEFAULT_PRADA_SETTINGS, startPradaText } from '../../../src/prada/session/index.ts'
import { memoryLog } from '../../integration/network/hosts.ts'
import { type LogitsApp, listen } from '../../integration/prada/logits-app.ts'
import { numberedVocabulary, serviceOf } from '../../unit/prada/small-remote.ts'
import { nearTable, randomTable, tableModel } from '../../unit/prada/table-model.ts'
import { PeerNetwork } from './peer-network.ts'

const SIZE = 40
const table = randomTable(4, SIZE, 2)
const vocabulary = numberedVocabulary(SIZE)
const REQUEST = { ids: [1, 2], maxTokens: 12, seed: 3, temperature: 1 }

async function tokensOf({ remote, dispose }: OpenedRemote): Promise<number[]> {
  const proxy = {
    base: tableModel(nearTable(table, 5, 0.7), SIZE),
    adapted: tableModel(nearTable(table, 6, 0.7), SIZE)
  }
  const components = { proxy, remote, vocabularySize: SIZE, now: () => performance.now() }
  const ids: number[] = []
  for await (const { id } of startPradaText(components, DEFAULT_PRADA_SETTINGS, REQUEST).tokens) ids.push(id)
  dispose()
  return ids
}

describe('a member whose daemon serves logits', function () {
  this.timeout(120_000)
  let app: LogitsApp
  let network: PeerNetwork
  let address: string
  let truth: number[]
  const client = () => network.prepared.peers[1]!.home
  const opened = async (url: string): Promise<OpenedRemote> => {
    const home = client()
    const { network: reach } = await loadPeerConfig(home)
    return openRemote(url, {
      vocabulary,
      dialMember: (at) => dialMember({ home, network: reach, log: memoryLog() }, at)
    })
  }

  before(async () => {
    app = await listen(serviceOf(tableModel(table, SIZE)))
    network = await PeerNetwork.prepare(2)
    const { config } = network.prepared.peers[0]!.home
    const settings = JSON.parse(await readFile(config, 'utf8')) as object
    await writeFile(config, JSON.stringify({ ...settings, logits: { server: app.url } }))
    await network.start(0)
    address = network.watches[0]!.addresses.find((at) => at.includes('/tcp/') && !at.includes('/ws'))!
    truth = await tokensOf(await openRemote(app.url, { vocabulary }))
  })
  after(async () => {
    await network.end()
    await app.close()
  })

  it('serves a client with the identity of a stopped home, which is locked meanwhile', async () => {
    const remote = await opened(address)
    await assert.rejects(lockHome(client()), /already runs|in use|process/)
    assert.deepEqual(await tokensOf(remote), truth)
  })

  it('serves a client through the daemon of its home', async () => {
    await network.start(1)
    assert.deepEqual(await tokensOf(await opened(address)), truth)
    assert.deepEqual(await tokensOf(await opened(`/p2p/${network.prepared.peers[0]!.peerId}`)), truth)
  })

  it('is not itself, nor an address without a PeerId', async () => {
    await assert.rejects(opened('/ip4/127.0.0.1/tcp/1'), /must end in \/p2p\/PEERID/)
    await assert.rejects(
      opened(`/p2p/${network.prepared.peers[1]!.peerId}`),
      /RemoteError|itself|cannot|self/
    )
  })
})
