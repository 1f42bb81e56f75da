import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import type { PeerView } from '../../../src/node/control/index.ts'
import type { NetworkView } from '../../../src/node/diagnosis/index.ts'
import { readCharter } from '../../../src/node/home/charter-file.ts'
import { loadIdentity } from '../../../src/node/home/identity.ts'
import { Handshakes } from '../../../src/node/network/index.ts'
import type { OwnHandshake } from '../../../src/node/network/peers/handshake.ts'
import { startHost, stopHosts, type TestHost } from '../../integration/network/hosts.ts'
import { until } from '../../support/until.ts'
import { PeerNetwork } from '../peer/peer-network.ts'
import { lastLine, loam, loamWith, type Outcome } from './loam.ts'

interface Report {
  readonly network: NetworkView
  readonly warnings: readonly string[]
  readonly actions: readonly string[]
}

describe('loam doctor on the network', function () {
  this.timeout(120_000)
  let network: PeerNetwork
  /** Of a running peer, and of a stopped one. */
  let running: string
  let still: string
  let address: string

  before(async () => {
    network = await PeerNetwork.prepare(4)
    await network.start(0)
    running = network.prepared.peers[0]!.home.folder
    still = network.prepared.peers[1]!.home.folder
    address = network.watches[0]!.addresses[0]!
  })
  afterEach(stopHosts)
  after(() => network.end())

  const examine = (home: string, ...args: string[]) =>
    loam('doctor', '--home', home, '--only', 'network', '--json', ...args)
  const outcomesOf = (outcome: Outcome) =>
    lastLine<Report>(outcome).network.bootstrap.map((each) => each.outcome)

  /** A host with the identity of a member and a handshake chosen by the test. */
  async function member(index: number, self: Partial<OwnHandshake>): Promise<TestHost> {
    const { home } = network.prepared.peers[index]!
    const { privateKey } = (await loadIdentity(home.identity))!
    const host = await startHost({ privateKey })
    const handshakes = new Handshakes(host, {
      self: { charter: (await readCharter(home.charter)).id, software: 'loam/test', ...self },
      addresses: [],
      admits: () => true,
      onVerdict: () => {},
      onIncompatible: () => {},
      onCopy: () => {},
      onAlone: () => {},
      log: host.log
    })
    await handshakes.start()
    const { stop } = host
    return Object.assign(host, {
      stop: async () => {
        await handshakes.stop()
        await stop()
      }
    })
  }

  it('uses its own host when no daemon runs, and leaves the home unchanged', async () => {
    const { home } = network.prepared.peers[1]!
    const log = await readFile(home.writeAheadLog)
    const outcome = await examine(still, '--bootstrap', address)
    assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr)
    const { network: view, actions } = lastLine<Report>(outcome)
    assert.deepEqual([view.source, view.mesh, actions], ['own-host', null, []])
    assert.deepEqual(outcomesOf(outcome), ['answers'])
    assert.deepEqual(view.members, { others: 3, connected: 1, quorum: 3 })
    assert(view.observed.length > 0 && view.observed.every(({ isOwn }) => isOwn))
    assert(view.clocks.length === 1 && view.clocks[0]!.roundTripMs >= 0)
    assert(view.addresses.some(({ announced }) => announced))
    assert.deepEqual(await readFile(home.writeAheadLog), log)
    assert(!existsSync(home.lock))
  })

  it('asks the daemon when one is running', async () => {
    const outcome = await examine(running)
    const { network: view } = lastLine<Report>(outcome)
    assert.equal(view.source, 'daemon')
    assert.deepEqual(view.mesh, [])
    assert.equal(view.peerId, network.prepared.peers[0]!.peerId)
    // No other peer is running, and no address is configured.
    assert.equal(outcome.code, 1)
    assert.match(lastLine<Report>(outcome).actions[0]!, /^No member is connected/)
  })

  it('says for each bootstrap address why it fails, and exits with 1', async () => {
    const [, , , other] = network.prepared.peers
    const addresses = {
      refused: `/ip4/127.0.0.1/tcp/1/p2p/${network.prepared.peers[2]!.peerId}`,
      'wrong-peer': address.replace(/\/p2p\/.*/, `/p2p/${other!.peerId}`),
      'not-a-member': address.replace(
        /\/p2p\/.*/,
        '/p2p/12D3KooWPkRTdmSbaWGcZiKxgzTxGwGjhyvCLW5Eup5bYNEUZnNi'
      )
    }
    const outcome = await examine(still, '--bootstrap', ...Object.values(addresses))
    assert.equal(outcome.code, 1)
    assert.deepEqual(outcomesOf(outcome), Object.keys(addresses))
    const { actions } = lastLine<Report>(outcome)
    for (const each of Object.values(addresses))
      assert(
        actions.some((text) => text.includes(each)),
        each
      )
    assert(actions.some((text) => text.includes(network.prepared.peers[0]!.peerId)))
  })

  it('reports members of another consortium or protocol version', async () => {
    const other = await member(2, { charter: new Uint8Array(32) })
    const newer = await member(3, { protocol: 2, software: 'loam/9.0.0' })
    const outcome = await examine(still, '--bootstrap', other.multiaddrs()[0]!, newer.multiaddrs()[0]!)
    assert.equal(outcome.code, 1)
    assert.deepEqual(outcomesOf(outcome), ['other-consortium', 'other-protocol'])
    const { actions } = lastLine<Report>(outcome)
    assert(actions.some((text) => /loam\/9\.0\.0.*this one has to be updated/.test(text)))
  })

  it('is complemented by loam peers, which shows the round and version of each peer', async () => {
    const host = await member(2, { software: 'loam/9.9.9' })
    await host.libp2p.dial(multiaddr(address))
    let peers: readonly PeerView[] = []
    const found = () => peers.find(({ peerId }) => peerId === host.peerId.toString())
    await until(async () => {
      peers = lastLine<{ peers: PeerView[] }>(await loam('peers', '--home', running, '--json')).peers
      return found()?.roundTripMs != null
    })
    const { way, direction, software, score, handshakeSeconds } = found()!
    assert.deepEqual([way, direction, software], ['direct', 'inbound', 'loam/9.9.9'])
    assert(score! >= 0 && handshakeSeconds! >= 0)
    const {
      way: none,
      roundTripMs,
      score: unknown
    } = peers.find(({ connected, self }) => !connected && !self)!
    assert.deepEqual([none, roundTripMs, unknown], [null, null, null])
  })

  it('reports a wrong clock and a port in use, and runs all other checks', async () => {
    const ahead = 'const now = Date.now; Date.now = () => now() + 3_600_000'
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const outcome = await loamWith(
      { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(ahead)}` },
      ...['doctor', '--home', still, '--only', 'network', '--json'],
      ...['--listen', `/ip4/127.0.0.1/tcp/${port}`, '--bootstrap', address]
    )
    server.close()
    assert.equal(outcome.code, 1, outcome.stderr)
    assert.deepEqual(outcomesOf(outcome), ['answers'])
    const { actions } = lastLine<Report>(outcome)
    assert.match(actions[0]!, /^Cannot listen on .*EADDRINUSE.*set --listen/)
    assert.match(actions[1]!, /^This machine's clock is 60 min ahead of that of 12D3/)
  })

  it('fits its advice into 80 columns, except for addresses', async () => {
    const { stdout, code } = await loam('doctor', '--home', running, '--only', 'network')
    assert.equal(code, 1)
    assert.match(stdout, /^network\s+as the running daemon sees it$/m)
    assert.match(stdout, /^to do: No member is connected/m)
    for (const line of stdout.split('\n')) assert(line.length <= 80 || line.includes('/'), line)
  })
})
