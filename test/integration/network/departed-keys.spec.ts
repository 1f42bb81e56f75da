import assert from 'node:assert/strict'
import { SyncService } from '../../../src/node/catch-up/sync-service.ts'
import type { DriverComponents } from '../../../src/node/driver/components.ts'
import { Heads } from '../../../src/node/driver/heads.ts'
import type { RoundDriver } from '../../../src/node/driver/round-driver.ts'
import { type Identity, identityFromSeed } from '../../../src/node/home/identity.ts'
import { openRoundStore, type RoundStore } from '../../../src/node/home/round-store.ts'
import { drawUpRequest, standingOf } from '../../../src/node/membership/request-files.ts'
import {
  contextAfter,
  decodeInvite,
  encodeCharter,
  encodeInvite,
  encodeSealedRound,
  equalBytes,
  genesisContext,
  hex,
  type Invite,
  memberIndex,
  type PeerEvent,
  type RoundContext,
  type SealedRound,
  start,
  step,
  verifyEd25519
} from '../../../src/protocol/index.ts'
import { until } from '../../support/until.ts'
import { type OneMember, oneMember } from '../../unit/node/one-member.ts'
import { sealTogether } from '../../unit/node/seal-together.ts'
import { temporaryHome } from '../../unit/node/temporary-home.ts'
import { startHost, stopHosts, type TestHost } from './hosts.ts'

/** Rounds, and the context after the last of them. */
interface History {
  readonly rounds: readonly SealedRound[]
  readonly context: RoundContext
}

interface PeerOptions {
  readonly bootstrap?: readonly TestHost[]
  readonly invite?: Invite
  /** Sent to others instead of the right sealed round. */
  readonly instead?: SealedRound
}

const added = ({ rounds, context }: History, sealed: SealedRound): History => ({
  rounds: [...rounds, sealed],
  context: contextAfter(context, sealed)
})

/** Between real hosts: a founder admits another member, leaves, and continues to sign with its key. */
describe('the key of a member that has left', function () {
  this.timeout(60_000)
  const endings: (() => Promise<unknown>)[] = []
  let member: OneMember
  let founder: Identity
  let successor: Identity
  /** The founder is joined by the successor, which continues alone; and the founder alone throughout. */
  let told: History
  let forged: History
  /** The rounds in which both were members. */
  let shared: History

  before(async () => {
    const { home, remove } = await temporaryHome()
    member = await oneMember(home)
    await remove()
    founder = member.identity
    successor = await identityFromSeed(new Uint8Array(32).fill(7))
    const genesis: History = { rounds: [], context: genesisContext(member.charter) }
    const change = (
      type: 'join' | 'leave',
      { context }: History,
      { peerId, revealChain, signer }: Identity
    ) => {
      const wanted = { type, peerId, ...(type === 'join' ? { anchor: revealChain.anchor } : {}) }
      return drawUpRequest(wanted, standingOf(context), context.charterId, signer)
    }
    shared = added(genesis, sealTogether([founder], genesis.context, [change('join', genesis, successor)]))
    const leaving = change('leave', shared, founder)
    shared = added(shared, sealTogether([founder, successor], shared.context, [leaving]))
    told = shared
    for (let round = 0; round < 2; round++) told = added(told, sealTogether([successor], told.context))
    forged = genesis
    for (let round = 0; round < 4; round++) forged = added(forged, sealTogether([founder], forged.context))
  })
  afterEach(async () => {
    for (const ending of endings.splice(0)) await ending()
    await stopHosts()
  })

  /** A peer with these rounds, which serves them to others, and follows what it receives. */
  const peerWith = async (
    rounds: readonly SealedRound[],
    { bootstrap = [], invite, instead }: PeerOptions = {}
  ) => {
    const { home, remove } = await temporaryHome()
    await oneMember(home)
    const store = await openRoundStore(home, member.charter)
    for (const sealed of rounds) await store.save(store.head, sealed)
    const { signer } = await identityFromSeed(new Uint8Array(32).fill(11))
    const environment = { signer, verify: verifyEd25519 }
    const happened: PeerEvent[] = []
    let { state } = start(store.head, environment)
    const driver = {
      get state() {
        return state
      },
      hasRoom: true,
      happen: (event: PeerEvent) => {
        happened.push(event)
        const { effects, state: next } = step(state, event, environment)
        state = next
        for (const effect of effects)
          if (effect.type === 'build')
            state = step(
              state,
              { type: 'built', cut: effect.cutId, stack: null, model: effect.context.modelDigest },
              environment
            ).state
      },
      receive: () => 'ignore',
      roundAfter: (round: number) =>
        state.context.round > round ? Promise.resolve(state.context) : Promise.reject(new Error('not built'))
    } as unknown as RoundDriver
    const host = await startHost({ bootstrap })
    const told: Pick<RoundStore, 'sealedBytes'> = {
      sealedBytes: async (round) =>
        round === instead?.seal.round ? encodeSealedRound(instead) : store.sealedBytes(round)
    }
    const components = { home, environment, host, rounds: told, heads: new Heads(), log: host.log, invite }
    const service = new SyncService(components as unknown as DriverComponents, driver)
    await service.start()
    endings.push(() => service.stop(), remove)
    return { host, happened, context: () => state.context }
  }
  const sealedIn = (happened: readonly PeerEvent[]) =>
    happened.flatMap((event) =>
      event.type === 'sealedRound' ? [hex(encodeSealedRound(event.sealedRound))] : []
    )

  it('signs histories whose seals are each valid in their own round', () => {
    assert.equal(forged.context.round, told.context.round)
    assert.equal(memberIndex(told.context, founder.signer.peer), -1)
    assert(!equalBytes(forged.context.parent, told.context.parent))
  })

  it('makes no newcomer believe a history other than that of its invite', async () => {
    const { context } = told
    const terms = {
      charter: encodeCharter(member.charter.charter, [founder.signer]),
      round: context.round - 1,
      seal: context.parent,
      model: context.modelDigest,
      bootstrap: [],
      expires: 2_000_000_000
    }
    const invite = decodeInvite(encodeInvite(terms, successor.signer), verifyEd25519)
    const newcomer = await peerWith([], { invite })
    const liar = await peerWith(forged.rounds, { bootstrap: [newcomer.host] })
    const isFoundOut = () =>
      newcomer.host.log.messages.some(
        (line) =>
          line.includes("a member's history does not match the invite") &&
          line.includes(liar.host.peerId.toString())
      )
    await until(isFoundOut)
    assert.deepEqual(sealedIn(newcomer.happened), [])
    await peerWith(told.rounds, { bootstrap: [newcomer.host] })
    await until(() => newcomer.context().round === context.round)
    assert(equalBytes(newcomer.context().parent, context.parent))
    assert.deepEqual(
      sealedIn(newcomer.happened),
      told.rounds.map((sealed) => hex(encodeSealedRound(sealed)))
    )
  })

  it('adds no round for peers that know it has left, and a peer that sends one is blamed', async () => {
    // For the right round and parent, and signed by the founder alone, as if it were still a member.
    const { members, voters, faulty, quorum, trainers } = forged.context
    const usurped = sealTogether([founder], { ...shared.context, members, voters, faulty, quorum, trainers })
    assert(equalBytes(usurped.seal.parent, shared.context.parent))
    const behind = await peerWith(shared.rounds)
    const liar = await peerWith(told.rounds, { bootstrap: [behind.host], instead: usurped })
    const isCharged = () =>
      behind.host.log.messages.some(
        (line) => line.includes('an invalid sync response') && line.includes(liar.host.peerId.toString())
      )
    await until(isCharged)
    assert.deepEqual(sealedIn(behind.happened), [])
    await peerWith(told.rounds, { bootstrap: [behind.host] })
    await until(() => behind.context().round === told.context.round)
    assert(equalBytes(behind.context().parent, told.context.parent))
  })
})
