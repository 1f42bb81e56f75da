import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { simulatedManifest } from '../../../../sim/consortium/simulated-consortium.ts'
import { Network } from '../../../../sim/network/network.ts'
import { CALM, type Scenario, type Weather } from '../../../../sim/scenarios/scenario.ts'
import { equalBytes, hex } from '../../../../src/protocol/encoding/bytes.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import { decodeEnvelope } from '../../../../src/protocol/messages/message.ts'
import type { LogRecord } from '../../../../src/protocol/state/effects.ts'
import { countOf } from '../../../../src/protocol/state/slots.ts'

const table = new ScriptedConsortium(4)
const manifests = firsts(4).map((author) => table.manifest(author))
const cut = table.cut(manifests)
const id = cutId(table.context, cut)
const self = firsts(4).find((member) => member !== table.proposer(0))!
const others = firsts(4).filter((member) => member !== self)

/** A member that trained, endorsed, sent ready, voted, locked and precommitted in view 0. */
function experienced(): Seat {
  const seat = table.sit(self)
  seat.take({ type: 'trained', round: 1, manifest: manifests[self]!.body })
  seat.hear(manifests[others[0]!]!)
  seat.holds(manifests[others[0]!]!)
  seat.learn(...manifests.map((manifest) => table.certificate(manifest)))
  seat.hear(...others.map((member) => table.ready(member, [])), table.proposal(0, cut))
  seat.hear(...others.map((member) => table.said(member, 'prevote', 0, { cut: id })))
  return seat
}

describe('a restart', () => {
  it('sends the same messages again, byte for byte, and no others', () => {
    const before = experienced()
    const after = table.sitAgain(self, before.log)
    const words = (seat: Seat) => seat.done('broadcast').map(({ message }) => hex(message.bytes))
    assert.deepEqual(words(after), words(before))
    assert.deepEqual(after.done('train'), [])
    assert.equal(after.state.step, 'precommit')
    assert.deepEqual(after.state.locked, before.state.locked)
    assert.deepEqual(after.state.valid, before.state.valid)
  })

  it('can prove what its messages claim: the certificates of its ready, the prevotes of its lock', () => {
    const after = table.sitAgain(self, experienced().log)
    assert.equal(after.state.certificates.size, 4)
    assert.equal(countOf(after.state, 'prevote', 0), 3, 'the quorum that locked it')
  })

  it('trains again only if the log shows no later step', () => {
    const { log } = experienced()
    assert.equal(table.sitAgain(self, []).done('train').length, 1)
    assert.equal(table.sitAgain(self, log.slice(0, 1)).done('train').length, 0)
    assert.ok(table.sitAgain(self, log.slice(0, 1)).state.timers.has('gather'))
  })

  it('ignores records of other rounds in the log', () => {
    const { log } = experienced()
    const later = { ...table.context, round: 2, parent: id }
    const after = table.sitAgain(self, log, later)
    assert.deepEqual(after.said('prevote'), [])
    assert.equal(after.state.view, -1)
    assert.equal(after.state.valid, undefined)
  })

  it('with lost sealed rounds signs nothing new in a round that the log contains', () => {
    const alone = new ScriptedConsortium(1)
    const first = alone.manifest(0)
    const built = { type: 'built', stack: first.id, model: first.id } as const
    const seat = alone.sit(0)
    seat.take({ type: 'trained', round: 1, manifest: first.body })
    seat.holds(first)
    seat.take({ ...built, cut: cutId(alone.context, alone.cut([first])) })
    const [sealed] = seat.done('sealed')
    const { context } = seat.state
    assert.equal(context.round, 2)
    const second = simulatedManifest(context, 0, alone.chains[0]!)
    const log = seat.log.length
    seat.take({ type: 'trained', round: 2, manifest: second })

    const back = alone.sitAgain(0, seat.log.slice(log))
    back.take({ type: 'sealedRound', sealedRound: sealed!.sealedRound })
    back.holds(first)
    back.take({ ...built, cut: sealed!.sealedRound.seal.cut })
    assert.equal(back.state.context.round, 2)
    back.take({ type: 'trained', round: 2, manifest: { ...second, samples: second.samples + 1 } })
    assert.deepEqual(back.said('manifest').at(-1)!.bytes, seat.said('manifest').at(-1)!.bytes)
    const anew = back
      .done('persist')
      .flatMap(({ record }) => (record.type === 'signed' ? [record.envelope] : []))
    assert.ok(
      anew.every(
        (envelope) =>
          decodeEnvelope(envelope).header.kind !== 'manifest' || decodeEnvelope(envelope).header.round === 1
      )
    )
  })

  it('after any record contradicts nothing, whatever arrives next', () => {
    const { log } = experienced()
    const other = table.cut(manifests.slice(1))
    const otherId = cutId(table.context, other)
    for (let length = 0; length <= log.length; length++) {
      const seat = table.sitAgain(self, log.slice(0, length))
      seat.take({ type: 'trained', round: 1, manifest: { ...manifests[self]!.body, samples: 5 } })
      const second = table.manifest(others[0]!, { samples: 9 })
      seat.hear(second)
      seat.holds(second)
      seat.timeout('gather')
      seat.hear(...others.map((member) => table.ready(member, [])), table.proposal(0, other))
      seat.timeout('propose/0')
      seat.hear(...others.map((member) => table.said(member, 'prevote', 0, { cut: otherId })))
      seat.timeout('prevote/0')
      assertConsistent(seat, log.slice(0, length))
    }
  })
})

/** No two messages of a member in one slot, before and after. */
function assertConsistent(seat: Seat, log: readonly LogRecord[]): void {
  const said = new Map<string, Uint8Array>()
  for (const { kind, slot, id } of seat.done('broadcast').map(({ message }) => message)) {
    const before = said.get(`${kind}/${slot}`)
    assert.ok(before === undefined || equalBytes(before, id), `two words in ${kind}/${slot}`)
    said.set(`${kind}/${slot}`, id)
  }
  for (const record of log) {
    if (record.type !== 'signed') continue
    const { kind, slot, id } = table.read(record.envelope)
    assert.ok(
      equalBytes(said.get(`${kind}/${slot}`)!, id),
      `another message in ${kind}/${slot} after record ${log.length}`
    )
  }
}

describe('a restart before the effects of a round are carried out', () => {
  const calm: Weather = { ...CALM, healMs: 30_000 }
  const base: Scenario = {
    seed: 5,
    members: 4,
    rounds: 1,
    signatures: 'ideal',
    minShards: 1,
    timeouts: { trainMs: 20_000, gatherMs: 5_000, graceMs: 500, proposeMs: 500, voteMs: 300, growthMs: 200 },
    faulty: [],
    weather: [calm],
    calmDelay: [5, 60],
    clocks: [1, 1, 1, 1],
    syncEveryMs: 400
  }
  const scenarios: Record<string, Scenario> = {
    'in a calm consortium': base,
    'where messages are lost and one member lies': {
      ...base,
      seed: 6,
      weather: [{ ...calm, delay: [5, 300], loss: 0.1 }],
      timeouts: { ...base.timeouts, gatherMs: 50, graceMs: 50 },
      faulty: [
        { member: 0, behaviours: ['equivocates-prevote', 'equivocates-endorsement', 'proposes-partial'] }
      ]
    }
  }
  for (const [name, scenario] of Object.entries(scenarios)) {
    it(`${name}: contradicts nothing, and all members seal`, function () {
      this.timeout(60_000)
      for (let afterEffects = 0; afterEffects < 40; afterEffects++) {
        const crash = { member: 2, afterEffects, downMs: 700, losesLog: false }
        const weather = scenario.weather.map((round) => ({ ...round, crashes: [crash] }))
        const { violations, rounds } = new Network({ ...scenario, weather }).run()
        assert.deepEqual(violations, [], `after ${afterEffects} effects`)
        assert.equal(rounds, 1)
      }
    })
  }
})
