import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { hex } from '../../../../src/protocol/encoding/bytes.ts'
import { latestAttested, silenceNeeded } from '../../../../src/protocol/rules/lost-log.ts'
import { type LogRecord, UNKNOWN_ROUND } from '../../../../src/protocol/state/effects.ts'

const table = new ScriptedConsortium(4)
const lost: LogRecord[] = [{ type: 'silent', through: UNKNOWN_ROUND }]
const told = (rounds: Record<number, number>) =>
  new Map(
    Object.entries(rounds).map(([member, round]) => [hex(table.context.members[Number(member)]!.peer), round])
  )

describe('rule 17, lost log', () => {
  it('signs nothing and does not train, but listens and follows', () => {
    const seat = table.sitAgain(0, lost)
    seat.hear(...firsts(3).map((member) => table.ready(member + 1, [])))
    assert.equal(seat.state.phase, 'deciding')
    seat.timeout('propose/0')
    seat.timeout('gather')
    assert.deepEqual(seat.done('broadcast'), [])
    assert.deepEqual(seat.done('train'), [])
    assert.deepEqual(seat.log, lost)
  })

  it('learns from q others how long to be silent: one past the highest round that they attested', () => {
    const { state } = table.sitAgain(0, lost)
    assert.equal(silenceNeeded(state, told({ 1: 0, 2: 0 })), undefined)
    assert.equal(silenceNeeded(state, told({ 1: 0, 2: 0, 3: 0 })), 1)
    assert.equal(silenceNeeded(state, told({ 1: 0, 2: 1, 3: 0 })), 2)
    assert.equal(silenceNeeded(table.sit(0).state, told({ 1: 0, 2: 0, 3: 0 })), undefined)
  })

  it('ignores claims of rounds that it has not reached, so that no member can silence it forever', () => {
    const { state } = table.sitAgain(0, lost)
    assert.equal(silenceNeeded(state, told({ 1: 0, 2: 0, 3: 1e9 })), undefined)
    const later = { ...state, context: { ...state.context, round: 5 } }
    assert.equal(silenceNeeded(later, told({ 1: 4, 2: 4, 3: 5 })), 6)
  })

  it('asks all others when there are fewer than q, and nobody when alone', () => {
    const two = new ScriptedConsortium(2)
    const peer = hex(two.context.members[1]!.peer)
    assert.equal(silenceNeeded(two.sitAgain(0, lost).state, new Map([[peer, 0]])), 1)
    assert.equal(silenceNeeded(new ScriptedConsortium(1).sitAgain(0, lost).state, new Map()), 1)
  })

  it('logs the end of its silence, and restores it after a restart', () => {
    const seat = table.sitAgain(0, lost)
    seat.take({ type: 'recollected', through: 1 })
    assert.deepEqual(seat.log.at(-1), { type: 'silent', through: 1 })
    const again = table.sitAgain(0, seat.log)
    assert.equal(again.state.silentThrough, 1)
    assert.deepEqual(again.done('train'), [])
    const next = { ...table.context, round: 2, parent: digestOf('seal 1') }
    assert.equal(table.sitAgain(0, seat.log, next).done('train').length, 1)
    again.take({ type: 'recollected', through: 0 })
    assert.equal(again.state.silentThrough, 1, 'only an unknown silence can be ended')
  })

  describe('when it receives a message with its own key that is not in its log', () => {
    const other = table.ready(0, [1])
    const contradicted = (seat: ReturnType<typeof table.sit>) => seat.done('contradicted').length

    it('signs nothing more, reports it, and stays silent after a restart', () => {
      const seat = table.sit(0)
      seat.hear(other)
      assert.equal(contradicted(seat), 1)
      seat.timeout('gather')
      seat.hear(table.manifest(1))
      assert.deepEqual(seat.done('broadcast'), [])
      assert.deepEqual(seat.log, lost)
      assert.deepEqual(table.sitAgain(0, seat.log).done('train'), [])
    })

    it('is not silenced if the log contains it, before and after a restart', () => {
      const seat = table.sit(0)
      seat.timeout('train')
      seat.timeout('gather')
      const own = table.read(seat.done('broadcast').at(-1)!.message.bytes)
      assert.equal(own.kind, 'ready')
      const again = table.sitAgain(0, seat.log)
      for (const each of [seat, again]) {
        each.hear(own)
        assert.equal(contradicted(each), 0)
        assert.equal(each.state.silentThrough, 0)
      }
    })

    it('waits one round longer, and is silenced again by another such message in that round', () => {
      const seat = table.sitAgain(0, lost)
      seat.hear(other)
      assert.equal(contradicted(seat), 0, 'it may have said it before it lost its log')
      seat.take({ type: 'recollected', through: 0 })
      assert.equal(seat.state.silentThrough, 1)
      seat.hear(table.ready(0, [1, 2]))
      assert.equal(contradicted(seat), 1)
      assert.equal(seat.state.silentThrough, UNKNOWN_ROUND)
    })

    it('extends a silence whose end is known on the first one', () => {
      const seat = table.sitAgain(0, lost)
      seat.take({ type: 'recollected', through: 1 })
      seat.hear(other)
      assert.deepEqual(seat.log.at(-1), { type: 'silent', through: 2 })
    })

    it('halts the second time', () => {
      const seat = table.sit(0)
      seat.hear(other)
      seat.take({ type: 'recollected', through: -1 })
      seat.hear(table.ready(0, [1, 2]))
      assert.match(seat.state.halted ?? '', /another copy of this identity is running/)
    })
  })

  it('signs nothing until it is released, and then what is due', () => {
    const seat = table.sitAgain(0, [], table.context, true)
    assert.equal(seat.done('train').length, 1)
    seat.timeout('train')
    seat.timeout('gather')
    assert.deepEqual(seat.done('broadcast'), [])
    seat.take({ type: 'released' })
    assert.equal(seat.done('broadcast').at(-1)?.message.kind, 'ready')
  })

  it('reports its latest attested round to others', () => {
    const seat = table.sit(0)
    assert.equal(latestAttested(seat.state), 0)
    const body = { cut: digestOf('c'), stack: null, model: digestOf('m') }
    assert.equal(
      latestAttested(
        table.sitAgain(0, [{ type: 'signed', envelope: table.said(0, 'attestation', 1, body).bytes }]).state
      ),
      1
    )
  })
})
