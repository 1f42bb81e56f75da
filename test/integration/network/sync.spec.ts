import assert from 'node:assert/strict'
import { digestOf } from '../../../sim/consortium/simulated-consortium.ts'
import { SyncService } from '../../../src/node/catch-up/sync-service.ts'
import type { DriverComponents } from '../../../src/node/driver/components.ts'
import { Heads } from '../../../src/node/driver/heads.ts'
import type { RoundDriver } from '../../../src/node/driver/round-driver.ts'
import { openRoundStore } from '../../../src/node/home/round-store.ts'
import { type PeerEvent, start, verifyEd25519 } from '../../../src/protocol/index.ts'
import { until } from '../../support/until.ts'
import { type OneMember, oneMember, sealRound } from '../../unit/node/one-member.ts'
import { temporaryHome } from '../../unit/node/temporary-home.ts'
import { startHost, stopHosts, type TestHost } from './hosts.ts'

/** Between real hosts; the member's key signed every history here, so all of them are valid. */
describe('members with conflicting histories', function () {
  this.timeout(30_000)
  const endings: (() => Promise<unknown>)[] = []

  /** A peer that has sealed rounds whose models are these words, and serves them to others. */
  const peerWith = async (words: readonly string[], bootstrap: readonly TestHost[] = []) => {
    const { home, remove } = await temporaryHome()
    const member: OneMember = await oneMember(home)
    const rounds = await openRoundStore(home, member.charter)
    for (const word of words) {
      const digests = { stack: digestOf(`${word} stack`), model: digestOf(word) }
      await rounds.save(rounds.head, sealRound(member, rounds.head, digests))
    }
    const environment = { signer: member.identity.signer, verify: verifyEd25519 }
    const happened: PeerEvent[] = []
    const driver = {
      state: start(rounds.head, environment).state,
      hasRoom: true,
      happen: (event: PeerEvent) => void happened.push(event),
      receive: () => 'ignore',
      roundAfter: () => Promise.reject(new Error('nothing is built here'))
    } as unknown as RoundDriver
    const host = await startHost({ bootstrap })
    const components = { home, environment, host, rounds, heads: new Heads(), log: host.log }
    const service = new SyncService(components as unknown as DriverComponents, driver)
    await service.start()
    endings.push(() => service.stop(), remove)
    return { host, happened, heads: components.heads, context: rounds.head }
  }
  const conflicts = (happened: readonly PeerEvent[]) =>
    happened.flatMap((event) => (event.type === 'conflict' ? [event.reason] : []))

  afterEach(async () => {
    for (const ending of endings.splice(0)) await ending()
    await stopHosts()
  })

  it('detect the conflict in the same round, however long ago it happened, and name who signed both', async () => {
    const one = await peerWith(['a', 'b', 'c', 'd', 'e', 'f'])
    const other = await peerWith(['a', 'b', 'x', 'd', 'e', 'f'], [one.host])
    await until(() => conflicts(one.happened).length > 0 && conflicts(other.happened).length > 0)
    assert.match(conflicts(one.happened)[0]!, /^round 3 was sealed twice, .*both were signed by: 12D3KooW/)
    assert.match(conflicts(other.happened)[0]!, /^round 3 was sealed twice/)
  })

  it('detect the conflict with a peer that is ahead', async () => {
    const ahead = await peerWith(['a', 'x', 'c', 'd', 'e'])
    const behind = await peerWith(['a', 'b', 'c'], [ahead.host])
    await until(() => conflicts(behind.happened).length > 0)
    assert.match(conflicts(behind.happened)[0]!, /^round 2 was sealed twice/)
  })

  it('see no conflict when one of them is only behind', async () => {
    const ahead = await peerWith(['a', 'b', 'c', 'd'])
    const behind = await peerWith(['a', 'b'], [ahead.host])
    await until(() => behind.happened.some(({ type }) => type === 'sealedRound'))
    assert.deepEqual([conflicts(ahead.happened), conflicts(behind.happened)], [[], []])
  })

  it('show a peer that knows no current member how far they are, by valid seals', async () => {
    // Neither host has a member's key, so their claims do not count.
    const ahead = await peerWith(Array.from({ length: 20 }, (_, round) => `model ${round}`))
    const behind = await peerWith([], [ahead.host])
    await until(() => behind.heads.ahead(behind.context) === 21)
    await until(() => behind.happened.some((event) => event.type === 'behind' && event.through === 21 - 16))
    const apart = await peerWith(['another'], [ahead.host])
    await until(() => conflicts(apart.happened).length > 0)
    assert.equal(apart.heads.ahead(apart.context), 2, 'another history proves nothing')
  })
})
