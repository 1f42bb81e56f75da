import assert from 'node:assert/strict'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { SeenCopy } from '../../../src/node/network/peers/copy-watch.ts'
import { Handshakes } from '../../../src/node/network/peers/handshakes.ts'
import { createInstance } from '../../../src/node/network/peers/instance.ts'
import { createSigner } from '../../../src/protocol/index.ts'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, type TestHost } from './hosts.ts'

const CHARTER = new Uint8Array(32).fill(1)

/** A host with handshakes, the copies it detected, and the peers that know of no copy of it. */
interface Person {
  readonly host: TestHost
  readonly handshakes: Handshakes
  readonly copies: SeenCopy[]
  readonly alone: string[]
}

describe('a copied identity', function () {
  this.timeout(60_000)
  const started: Handshakes[] = []
  afterEach(async () => {
    await Promise.all(started.splice(0).map((each) => each.stop()))
    await stopHosts()
  })

  async function person(seed: number, bootstrap: readonly Person[] = []): Promise<Person> {
    const bytes = new Uint8Array(32).fill(seed)
    const instance = createInstance(createSigner(bytes), CHARTER)
    const [copies, alone]: [SeenCopy[], string[]] = [[], []]
    const host = await startHost({
      privateKey: await generateKeyPairFromSeed('Ed25519', bytes),
      bootstrap: bootstrap.map((each) => each.host)
    })
    const handshakes = new Handshakes(host, {
      self: { charter: CHARTER, software: 'loam/test', instance },
      addresses: [],
      admits: () => true,
      onVerdict: () => {},
      onIncompatible: () => {},
      onCopy: (copy) => void copies.push(copy),
      onAlone: (peer) => void alone.push(peer),
      log: host.log
    })
    started.push(handshakes)
    await handshakes.start()
    return { host, handshakes, copies, alone }
  }

  it('is detected by every member and by both copies: exactly one of them stops', async () => {
    const others = [await person(1), await person(2)]
    const first = await person(7, others)
    await until(() => first.alone.length >= 2)
    const second = await person(7, others)
    const all = [...others, first, second]
    await until(() => all.every(({ copies }) => copies.length > 0))
    const peerId = first.host.peerId.toString()
    for (const { copies } of all) assert(copies.every((copy) => copy.peerId === peerId))
    for (const { copies } of others) assert(copies.every(({ isOwn }) => !isOwn))
    assert.deepEqual([first, second].map(({ copies }) => copies.some(({ isYounger }) => isYounger)).sort(), [
      false,
      true
    ])
    assert.equal(others[0]!.handshakes.copies().size, 1)
    assert.deepEqual(second.alone, [], 'nobody has told the second that it is alone')
  })

  it('is not detected when a peer restarts while its old connections linger', async () => {
    const others = [await person(1), await person(2)]
    const before = await person(7, others)
    await until(() => before.alone.length >= 2)
    // It no longer answers, and nobody has noticed: its connections are open.
    await before.handshakes.stop()
    const after = await person(7, others)
    await until(() => after.alone.length >= 2)
    assert.equal(others[0]!.host.libp2p.getConnections(after.host.peerId).length, 2)
    for (const { copies } of [...others, before, after]) assert.deepEqual(copies, [])
  })
})
