import assert from 'node:assert/strict'
import { bitsOf } from '../../../../src/protocol/encoding/bytes.ts'
import { keptOf } from '../../../../src/protocol/state/slots.ts'
import { firsts, type Seat, Table } from '../table.ts'

const table = new Table(7)
const { timeouts } = table.context.charter
const certificates = firsts(7).map((author) => table.certificate(table.manifest(author)))
const named = (seat: Seat) => seat.said('ready').map(({ body }) => bitsOf(body.certified))

describe('rule 3, ready', () => {
  it('is said as soon as every trainer is certified', () => {
    const seat = table.sit(0)
    seat.learn(...certificates.slice(1))
    assert.deepEqual(named(seat), [])
    seat.learn(certificates[0]!)
    assert.deepEqual(named(seat), [firsts(7)])
  })

  it('is said at the gather deadline with what is certified', () => {
    const seat = table.sit(0)
    seat.learn(certificates[4]!, certificates[2]!)
    seat.take({ type: 'trainingFailed', round: 1, reason: 'any' })
    const [gather] = seat.done('timer').filter(({ timer }) => timer === 'gather')
    assert.equal(gather?.milliseconds, timeouts.gatherMs)
    seat.timeout('gather')
    assert.deepEqual(named(seat), [[2, 4]])
  })

  it('is said `grace` after f + 1 readies, and no earlier', () => {
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

  it('is said at q readies, and deciding begins; training is given up', () => {
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

  it('of the same member counts once', () => {
    const seat = table.sit(0)
    seat.hear(...firsts(7).map((author) => table.ready(1, [author])))
    assert.ok(!seat.state.timers.has('grace'))
    assert.equal(keptOf(seat.state, 'ready', 0, 1).length, 2)
  })
})
