import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Home } from '../../../src/node/home/home.ts'
import { PeerError } from '../../../src/node/index.ts'
import { startRelay } from '../../../src/node/relay/relay.ts'
import { until } from '../../support/until.ts'
import { temporaryHome } from '../../unit/node/temporary-home.ts'
import { memoryLog, startHost, stopHosts } from './hosts.ts'

describe('the allow list of a relay', function () {
  this.timeout(30_000)
  let home: Home
  let remove: () => Promise<void>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(async () => {
    await stopHosts()
    await remove()
  })

  const begin = (allow: readonly string[] = [], log = memoryLog()) =>
    startRelay({
      home,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      upnp: false,
      allow,
      limits: { reservations: 8, bytesPerConnection: undefined, millisecondsPerConnection: undefined },
      log
    })

  it('follows its file while running: added peers are admitted, removed peers disconnected', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const newcomer = peerIdFromPrivateKey(privateKey).toString()
    const founder = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
    const log = memoryLog()
    const relay = await begin([founder], log)
    try {
      const host = await startHost({ privateKey })
      const address = multiaddr(relay.addresses()[0]!)
      await assert.rejects(host.libp2p.dialProtocol(address, '/ipfs/ping/1.0.0'))
      assert.equal(relay.load().connected, 0)
      await writeFile(home.allowed, `# joined in round 12\n${newcomer}  # Ada\n\n`)
      await until(() => log.messages.some((text) => text.startsWith('the allow list was reloaded')))
      await host.libp2p.dial(address)
      await until(() => relay.load().connected === 1)
      // A typo changes nothing.
      await writeFile(home.allowed, 'Ada\n')
      await until(() =>
        log.messages.some((text) => /stays unchanged.*line 1: Ada is not a PeerId/.test(text))
      )
      assert.equal(relay.load().connected, 1)
      await writeFile(home.allowed, '')
      await until(() => relay.load().connected === 0)
      await assert.rejects(host.libp2p.dialProtocol(address, '/ipfs/ping/1.0.0'))
    } finally {
      await relay.stop()
    }
  })

  it('is required at start, as PeerIds', async () => {
    await assert.rejects(begin(), (error) => {
      assert(error instanceof PeerError)
      assert.match(
        error.message,
        /--charter FILE or --allow PEERID, or list PeerIds in .*allowed, one per line/
      )
      return true
    })
    await assert.rejects(begin(['Ada']), /--allow: Ada is not a PeerId/)
    await writeFile(home.allowed, 'x'.repeat(300))
    await assert.rejects(begin(), /allowed, line 1: x{80} is not a PeerId/)
    assert(!existsSync(home.identity) && !existsSync(home.lock))
  })
})
