import assert from 'node:assert/strict'
import { Network } from '../../sim/network/network.ts'
import { drawScenario } from '../../sim/scenarios/draw-scenario.ts'
import { CALM, type MembershipPlan, type Scenario } from '../../sim/scenarios/scenario.ts'
import { TrustedChain } from '../../src/node/catch-up/trusted-chain.ts'
import type { Invite } from '../../src/protocol/charter/invite.ts'
import { equalBytes } from '../../src/protocol/encoding/bytes.ts'
import { contextAfter, decodeSealedRound } from '../../src/protocol/history/sealed-round.ts'
import { restore, step } from '../../src/protocol/machine.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import type { PeerEvent } from '../../src/protocol/state/events.ts'
import { temporaryHome } from '../unit/node/temporary-home.ts'

const FOUNDERS = [0, 1, 2, 3]
const LATER = [4, 5, 6, 7]
/** The peer that knows the founders, is offline throughout, and then asks to be admitted. */
const AWAY = 8
/** Rounds that it misses: more than any member keeps shards for. */
const BACK_IN = 19
const ROUNDS = 22

/** Four founders are replaced one by one. */
function gap(seed: number): Scenario {
  const changes = LATER.flatMap((person, index): MembershipPlan[] => [
    { round: 1 + 4 * index, type: 'join', person },
    { round: 3 + 4 * index, type: 'leave', person: FOUNDERS[index]! }
  ])
  return {
    ...drawScenario(1),
    seed,
    members: 4,
    joiners: 5,
    rounds: ROUNDS,
    minShards: 1,
    signatures: 'ideal',
    calmDelay: [5, 60],
    clocks: FOUNDERS.map(() => 1),
    faulty: [],
    miscomputes: [],
    changes: [...changes, { round: BACK_IN, type: 'join', person: AWAY }],
    absences: [
      { member: AWAY, from: 1, until: BACK_IN },
      // A member that has left stays offline.
      ...FOUNDERS.map((member) => ({ member, from: BACK_IN - 2, until: BACK_IN + 1_000 }))
    ],
    keepsAll: true,
    charter: { retain: 32 },
    weather: [CALM]
  }
}

/** Runs until the online members have sealed all rounds. */
function run(scenario: Scenario, people: readonly number[]): Network {
  const network = new Network(scenario)
  network.begin()
  const isOver = () => people.every((person) => network.copies[person]!.sealed.has(scenario.rounds))
  while (!isOver() && network.watch.violations.length === 0)
    assert.ok(network.queue.runNext(), 'the simulation ran out of events')
  assert.deepEqual(network.watch.violations, [])
  return network
}

/** The sealed rounds that a copy holds, in order. */
function historyOf(network: Network, person: number): Uint8Array[] {
  const { sealed } = network.copies[person]!
  return Array.from({ length: ROUNDS }, (_, index) => sealed.get(index + 1)!.bytes)
}

/** The context after each of these rounds. */
function contexts(network: Network, history: readonly Uint8Array[]): RoundContext[] {
  const all = [network.genesis]
  for (const bytes of history) {
    const context = all.at(-1)!
    all.push(contextAfter(context, decodeSealedRound(context, bytes, network.envelopeCheck.verify)))
  }
  return all
}

const isMember = ({ members }: RoundContext, peer: Uint8Array) =>
  members.some((member) => equalBytes(member.peer, peer))

describe('a gap in which every member is replaced', function () {
  this.timeout(60_000)
  let network: Network
  let history: Uint8Array[]
  let judged: RoundContext[]

  before(() => {
    network = run(gap(1), [...LATER, AWAY])
    history = historyOf(network, LATER[0]!)
    judged = contexts(network, history)
  })

  it('really replaces every member between the first and the last round', () => {
    const last = judged[BACK_IN]!
    for (const { peer } of network.genesis.members) assert(!isMember(last, peer))
    for (const person of LATER) assert(isMember(last, network.copies[person]!.peer))
  })

  it('is replayed by a peer that was offline from the first round on, which is admitted and is in a later cut', () => {
    const { peer, sealed } = network.copies[AWAY]!
    assert(isMember(judged[ROUNDS]!, peer))
    const { cut } = decodeSealedRound(
      judged[ROUNDS - 1]!,
      sealed.get(ROUNDS)!.bytes,
      network.envelopeCheck.verify
    )
    assert(cut.entries.some(({ author }) => equalBytes(author, peer)))
  })

  it('is also replayed with events in another order', () => {
    run(gap(2), [...LATER, AWAY])
  })

  for (const from of [0, 1, 10])
    it(`is followed by seals alone, as for a checkpoint, from round ${from + 1} on`, () => {
      const { environment } = network.copies[AWAY]!
      let { state } = restore(judged[from]!, [], environment)
      const happen = (event: PeerEvent) => {
        const next = step(state, event, environment)
        state = next.state
        return next.effects
      }
      for (const bytes of history.slice(from)) {
        const sealedRound = decodeSealedRound(state.context, bytes, environment.verify)
        const effects = [...happen({ type: 'sealedRound', sealedRound })]
        // The shell reports skipped rounds: neither blocks nor a build are needed.
        for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
          if (effect.type === 'fetch')
            effects.push(...happen({ type: 'blocksHeld', manifest: effect.message.id, fault: undefined }))
          if (effect.type === 'build') {
            const { stack, model } = sealedRound.seal
            effects.push(...happen({ type: 'built', cut: effect.cutId, stack, model }))
          }
        }
      }
      assert.equal(state.context.round, ROUNDS + 1)
      assert.deepEqual(state.context.parent, judged[ROUNDS]!.parent)
      assert.deepEqual(state.context.modelDigest, judged[ROUNDS]!.modelDigest)
    })

  it('is refused when a provider leaves a round out, or sends another one in its place', () => {
    for (const told of [history.slice(1), [history[0]!, history[2]!], [history[0]!, history[0]!]])
      assert.throws(() => contexts(network, told), { name: 'MalformedError' })
  })

  it('is trusted from an invite only if it contains that seal: a forgery by departed founders is detected, and the next provider is asked', async () => {
    // The same keys and charter, but no member ever joined or left.
    const forged = historyOf(
      run({ ...gap(1), joiners: 0, changes: [], absences: [] }, FOUNDERS),
      FOUNDERS[0]!
    )
    assert.equal(contexts(network, forged).length, ROUNDS + 1, 'every seal of it holds')
    const { home, remove } = await temporaryHome()
    const context = judged[BACK_IN]!
    const told = {
      round: BACK_IN,
      seal: context.parent,
      model: context.modelDigest,
      inviter: network.copies[LATER[1]!]!.peer
    } as unknown as Invite
    const chainOf = async (rounds: readonly Uint8Array[]) => {
      const chain = new TrustedChain(home, told, network.genesis, network.envelopeCheck.verify)
      for (const bytes of rounds) if (!chain.isTrusted) await chain.take(bytes)
      return chain
    }
    await assert.rejects(chainOf(forged), /its history has the seal/)
    const chain = await chainOf(history)
    assert(chain.isTrusted)
    await remove()
  })
})
