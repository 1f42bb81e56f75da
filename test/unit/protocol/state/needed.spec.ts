import assert from 'node:assert/strict'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { isNeeded, likelyCuts } from '../../../../src/protocol/state/needed.ts'
import { keptOf } from '../../../../src/protocol/state/slots.ts'

describe('rule 14: the votes that a round may still need', () => {
  const table = new ScriptedConsortium(7)
  const [c, d, x, y] = [digestOf('c'), digestOf('d'), digestOf('x'), digestOf('y')] as const
  const precommit = (author: number, cut: Uint8Array) => table.said(author, 'precommit', 0, { cut })
  const liar = 6

  it('are not displaced by those of equivocators, known or not', () => {
    const seat = table.sit(0)
    // q = 5, f = 2: of a quorum for c elsewhere, at least three honest votes are seen here.
    seat.hear(...[1, 2, 3].map((author) => precommit(author, c)))
    seat.hear(precommit(4, d), precommit(5, d), precommit(liar, x), precommit(liar, d))
    assert(seat.state.equivocators.has(liar))
    assert.deepEqual(likelyCuts(seat.state, 'precommit', 0), [c])
    seat.hear(precommit(liar, c), precommit(liar, d))
    const kept = keptOf(seat.state, 'precommit', 0, liar).map(({ body }) => body.cut)
    assert.deepEqual(kept, [x, c])
    assert(!isNeeded(seat.state, precommit(liar, d)))
  })

  it('are kept in both slots when two cuts are possible', () => {
    const seat = table.sit(0)
    seat.hear(...[1, 2, 3].map((author) => precommit(author, c)))
    seat.hear(precommit(4, d), precommit(5, d), precommit(0, d))
    assert.deepEqual(likelyCuts(seat.state, 'precommit', 0), [c, d])
    seat.hear(...[x, y, c, d, x].map((cut) => precommit(liar, cut)))
    const kept = keptOf(seat.state, 'precommit', 0, liar).map(({ body }) => body.cut)
    assert.deepEqual(kept, [c, d])
  })
})
