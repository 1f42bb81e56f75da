import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { bitsOf, hex } from '../../../../src/protocol/encoding/bytes.ts'
import { isAwaited, MISSES_MAX } from '../../../../src/protocol/rules/give-up.ts'
import { keptOf } from '../../../../src/protocol/state/slots.ts'

const table = new ScriptedConsortium(7)
const { timeouts } = table.context.charter
const certificates = firsts(7).map((author) => table.certificate(table.manifest(author)))
const named = (seat: Seat) => seat.said('ready').map(({ body }) => bitsOf(body.certified))

describe('rule 3, ready', () => {
  it('is sent as soon as every trainer is certified', () => {
    const seat = table.sit(0)
    seat.learn(...certificates.slice(1))
    assert.deepEqual(named(seat), [])
    seat.learn(certificates[0]!)
    assert.deepEqual(named(seat), [firsts(7)])
  })

  it('does not wait for an author whose manifest or blocks were found invalid', () => {
    const [liar, other] = [table.manifest(4), table.manifest(5, { samples: 10_000_000 })]
    const seat = table.sit(0)
    seat.hear(liar, other)
    seat.learn(...[0, 1, 2, 3, 6].map((author) => certificates[author]!))
    assert.deepEqual(named(seat), [])
    seat.holds(liar, 'holds what is not finite')
    assert.deepEqual(named(seat), [[0, 1, 2, 3, 6]])
    const authors = seat.done('refused').map(({ author }) => author)
    assert.deepEqual(authors, [table.context.members[5]!.peer, table.context.members[4]!.peer])
  })

  it('waits three rounds for a missing author, and for all when more than f are missing', () => {
    const seat = table.sit(0)
    const name = (author: number) => hex(table.context.members[author]!.peer)
    const waits = (misses: readonly number[]) => {
      const state = { ...seat.state, misses: new Map(misses.map((author) => [name(author), MISSES_MAX])) }
      return firsts(7).filter((author) => isAwaited(state, author))
    }
    assert.deepEqual(waits([]), firsts(7))
    assert.deepEqual(waits([4]), [0, 1, 2, 3, 5, 6])
    assert.deepEqual(waits([4, 5]), [0, 1, 2, 3, 6])
    assert.deepEqual(waits([3, 4, 5]), firsts(7))
  })

  it('waits again for a given-up author once in a while, at growing intervals', () => {
    const seat = table.sit(0)
    const name = hex(table.context.members[4]!.peer)
    const awaited = Array.from({ length: 300 }, (_, misses) => misses).filter((misses) =>
      isAwaited({ ...seat.state, misses: new Map([[name, misses]]) }, 4)
    )
    assert.deepEqual(awaited, [0, 1, 2, 35, 99, 227])
  })

  it('does not wait for an author that was silent for three rounds, until it is heard again', () => {
    const seat = table.sit(0)
    const peer = hex(table.context.members[4]!.peer)
    const gone = () => ({ ...seat.state, absences: new Map([[peer, MISSES_MAX]]) })
    assert.ok(!isAwaited(gone(), 4))
    seat.hear(table.ready(4, []))
    assert.ok(isAwaited(gone(), 4))
  })

  it('is sent at the gather deadline with what is certified', () => {
    const seat = table.sit(0)
    seat.learn(certificates[4]!, certificates[2]!)
    seat.take({ type: 'trainingFailed', round: 1, reason: 'any' })
    const [gather] = seat.done('timer').filter(({ timer }) => timer === 'gather')
    assert.equal(gather?.milliseconds, timeouts.gatherMs)
    seat.timeout('gather')
    assert.deepEqual(named(seat), [[2, 4]])
  })

  it('is sent `grace` after f + 1 readies, and no earlier', () => {
    const seat = table.sit(0)
    seat.hear(table.ready(1, []), table.ready(2, []))
    assert.ok(!seat.state.timers.has('grace'))
    seat.hear(table.ready(3, []))
    assert.ok(seat.state.timers.has('grace'))
    assert.deepEqual(named(seat), [])
    seat.timeout('grace')
    assert.deepEqual(named(seat), [[]])
    assert.equal(seat.done('timer').filter(({ timer }) => timer === 'grace').length, 1)
  })

  it('is sent at q readies, when deciding begins and training is cancelled', () => {
    const seat = table.sit(0)
    seat.hear(...[1, 2, 3, 4].map((member) => table.ready(member, [])))
    assert.equal(seat.state.phase, 'training')
    seat.hear(table.ready(5, []))
    assert.deepEqual(named(seat), [[]])
    assert.equal(seat.state.phase, 'deciding')
    assert.equal(seat.state.view, 0)
    assert.equal(seat.done('cancelTraining').length, 1)
  })

  it('is sent once, even if more is certified later, and its certificates are logged with it', () => {
    const seat = table.sit(0)
    seat.learn(certificates[1]!)
    seat.timeout('gather')
    seat.learn(...certificates)
    assert.deepEqual(named(seat), [[1]])
    const [record] = seat.log
    assert.deepEqual(record?.type === 'signed' && record.certificates, [certificates[1]])
  })

  it('is counted once per member', () => {
    const seat = table.sit(0)
    seat.hear(...firsts(7).map((author) => table.ready(1, [author])))
    assert.ok(!seat.state.timers.has('grace'))
    assert.equal(keptOf(seat.state, 'ready', 0, 1).length, 2)
  })
})
