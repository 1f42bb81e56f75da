import assert from 'node:assert/strict'
import fc from 'fast-check'
import { firsts, ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf, simulatedConsortium } from '../../../../sim/consortium/simulated-consortium.ts'
import { followingContext, genesisContext } from '../../../../src/protocol/round/context.ts'
import { drawMembers } from '../../../../src/protocol/round/draw-members.ts'
import { proposerOf } from '../../../../src/protocol/round/proposer.ts'

const terms = (size: number, assumedFaulty: number, epsilon = 1e-3, rounds = 1000) => ({
  size,
  assumedFaulty,
  epsilon,
  rounds
})

describe('rule 13, sampling', () => {
  it('draws the given number of members, each once, sorted, the same for every peer (property)', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 300 }), fc.nat(300), (text, members, count) => {
        const drawn = drawMembers('trainers', digestOf(text), members, count)
        assert.equal(drawn.length, count === 0 ? members : Math.min(count, members))
        assert.deepEqual(drawn, drawMembers('trainers', digestOf(text), members, count))
        assert.ok(drawn.every((index, place) => place === 0 || drawn[place - 1]! < index))
        assert.ok(drawn.every((index) => index >= 0 && index < members))
      })
    )
  })

  it('draws every member about equally often', () => {
    const times = new Array<number>(20).fill(0)
    for (let round = 0; round < 2000; round++)
      for (const index of drawMembers('committee', digestOf(`round ${round}`), 20, 5)) times[index]!++
    // 500 each on average, standard deviation 19.4: five of them.
    assert.ok(
      times.every((count) => Math.abs(count - 500) < 97),
      times.join(' ')
    )
  })

  it('draws trainers and committee independently, and again for every round', () => {
    const seed = digestOf('seed')
    assert.notDeepEqual(drawMembers('trainers', seed, 100, 20), drawMembers('committee', seed, 100, 20))
    assert.notDeepEqual(
      drawMembers('trainers', seed, 100, 20),
      drawMembers('trainers', digestOf('next'), 100, 20)
    )
  })

  it('takes quorum and proposers from the committee, and the trainers from their own draw', () => {
    const { signed } = simulatedConsortium(40, { trainers: 5, committee: terms(10, 0) })
    const context = genesisContext(signed)
    assert.equal(context.voters.length, 10)
    assert.equal(context.quorum, 7)
    assert.equal(context.trainers.length, 5)
    for (let view = 0; view < 30; view++) assert.ok(context.voters.includes(proposerOf(context, view)))
    const next = followingContext(context, { ...context, seed: digestOf('next') })
    assert.notDeepEqual(next.voters, context.voters)
  })

  it('lets only the committee vote and only the drawn trainers train; the others follow', () => {
    const table = new ScriptedConsortium(12, { trainers: 4, committee: terms(4, 0) })
    const { voters, trainers } = table.context
    const outsider = firsts(12).find((index) => !voters.includes(index))!
    const idle = firsts(12).find((index) => !trainers.includes(index))!
    assert.throws(() => table.said(outsider, 'prevote', 0, { cut: null }), /does not vote/)
    assert.throws(() => table.manifest(idle), /does not train/)
    const seat = table.sit(outsider)
    seat.hear(...voters.map((member) => table.ready(member, [])))
    assert.equal(seat.state.phase, 'deciding')
    seat.timeout('propose/0')
    assert.deepEqual(
      seat.done('broadcast').map(({ message }) => message.kind),
      []
    )
    const certificate = table.certificate(table.manifest(trainers[0]!), voters.slice(0, 3))
    assert.equal(certificate.endorsements.length, 3)
    assert.throws(() => table.certificate(table.manifest(trainers[0]!), [outsider]), /does not vote/)
  })
})
