import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { equalBytes, hex } from '../../../../src/protocol/encoding/bytes.ts'
import type { Cut } from '../../../../src/protocol/messages/bodies.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import type { Message } from '../../../../src/protocol/messages/message.ts'
import { afterFault } from '../../../../src/protocol/rules/vote.ts'
import { slotsOf } from '../../../../src/protocol/state/slots.ts'
import { answerSync, syncRequest } from '../../../../src/protocol/sync.ts'
import { NO_DELAYS } from '../../../../src/protocol/timing/delays.ts'

const table = new ScriptedConsortium(4)
const manifests = firsts(4).map((author) => table.manifest(author))
const cuts = [
  table.cut([manifests[0]!, manifests[1]!]),
  table.cut([manifests[2]!]),
  table.cut([manifests[3]!])
]
const [cut, other, third] = cuts as [Cut, Cut, Cut]
const id = cutId(table.context, cut)
const otherId = cutId(table.context, other)
/** A member that proposes in neither of the first two views, and the three others. */
const self = firsts(4).find((member) => member !== table.proposer(0) && member !== table.proposer(1))!
const others = firsts(4).filter((member) => member !== self)

function votes(kind: 'prevote' | 'precommit', view: number, id: Uint8Array | null, by = others): Message[] {
  return by.map((member) => table.said(member, kind, view, { cut: id }))
}

/** The votes of a seat, by view. */
function voted(seat: Seat, kind: 'prevote' | 'precommit'): Record<number, string | null> {
  return Object.fromEntries(
    seat.said(kind).map(({ slot, body }) => [slot, body.cut === null ? null : hex(body.cut)])
  )
}

/** A member in view 0, with all certificates. */
function deciding(member = self): Seat {
  const seat = table.sit(member)
  seat.learn(...manifests.map((manifest) => table.certificate(manifest)))
  const readies = firsts(4).filter((other) => other !== member)
  seat.hear(...readies.map((other) => table.ready(other, [])))
  return seat
}

/** A member that locked `cut` in view 0 and is in view 1. */
function locked(): Seat {
  const seat = deciding()
  seat.hear(table.proposal(0, cut), ...votes('prevote', 0, id))
  seat.hear(...votes('precommit', 0, null))
  seat.timeout('precommit/0')
  assert.equal(seat.state.view, 1)
  return seat
}

function repeated(view: number, validView: number, cut: Cut): Message<'proposal'> {
  return table.said(table.proposer(view), 'proposal', view, { cut, validView, readies: [] })
}

describe('rule 5, vote: prevotes', () => {
  it('support a fresh proposal that follows rule 4, and none otherwise', () => {
    const seat = deciding()
    seat.hear(table.proposal(0, cut))
    assert.deepEqual(voted(seat, 'prevote'), { 0: hex(id) })
    const fooled = deciding()
    const { readies } = table.proposal(0, cut).body
    fooled.hear(table.said(table.proposer(0), 'proposal', 0, { cut: other, validView: -1, readies }))
    assert.deepEqual(voted(fooled, 'prevote'), { 0: null })
  })

  it('are for none when the proposer takes too long', () => {
    const seat = deciding()
    seat.timeout('propose/0')
    assert.deepEqual(voted(seat, 'prevote'), { 0: null })
    seat.hear(table.proposal(0, cut))
    assert.deepEqual(voted(seat, 'prevote'), { 0: null }, 'a vote stands')
  })

  it('are for none at once when the proposer was silent for rounds, until it is heard', () => {
    const gone = new Map([[hex(table.context.members[table.proposer(0)]!.peer), 3]])
    const waiting = others.filter((member) => member !== table.proposer(0))
    const seat = table.sit(self)
    seat.state = { ...seat.state, absences: gone }
    seat.timeout('gather')
    seat.hear(...waiting.map((member) => table.ready(member, [])))
    assert.deepEqual(voted(seat, 'prevote'), { 0: null })
    const again = table.sit(self)
    again.state = { ...again.state, absences: gone }
    again.timeout('gather')
    again.hear(table.ready(table.proposer(0), []), ...waiting.map((member) => table.ready(member, [])))
    assert.deepEqual(voted(again, 'prevote'), {})
  })

  it('are for none at once when the proposer signs something invalid', () => {
    const seat = deciding()
    const { state } = seat
    const by = (member: number, slot: number) =>
      afterFault(state, table.said(member, 'prevote', slot, { cut: null }).header)
    assert.equal(by(table.proposer(0), 0), undefined, 'it is no proposal')
    const { header } = table.proposal(0, cut)
    assert.equal(afterFault(state, { ...header, slot: 9 }), undefined, 'a view that is far off')
    assert.equal(afterFault(state, { ...header, author: table.context.members[self]!.peer }), undefined)
    const event = afterFault(state, header)
    assert(event !== undefined)
    seat.take(event)
    assert.deepEqual(voted(seat, 'prevote'), { 0: null })
  })

  it('need no certificates if a quorum prevoted already', () => {
    const seat = table.sit(self)
    seat.hear(...others.map((member) => table.ready(member, [])), table.proposal(0, cut))
    assert.deepEqual(voted(seat, 'prevote'), {})
    seat.hear(...votes('prevote', 0, id))
    assert.deepEqual(voted(seat, 'prevote'), { 0: hex(id) })
  })

  it('of a locked member support the same cut, and no other fresh one', () => {
    const same = locked()
    same.hear(table.proposal(1, cut))
    assert.deepEqual(voted(same, 'prevote'), { 0: hex(id), 1: hex(id) })
    const seat = locked()
    seat.hear(table.proposal(1, other))
    assert.deepEqual(voted(seat, 'prevote'), { 0: hex(id), 1: null })
  })

  it('support a repeated cut only with the q prevotes that it claims', () => {
    const seat = deciding()
    seat.timeout('propose/0')
    seat.hear(...votes('prevote', 0, id, others.slice(1)))
    seat.timeout('prevote/0')
    seat.hear(...votes('precommit', 0, null))
    seat.timeout('precommit/0')
    seat.hear(repeated(1, 0, cut))
    assert.deepEqual(voted(seat, 'prevote'), { 0: null })
    seat.hear(...votes('prevote', 0, id, others.slice(0, 1)))
    assert.deepEqual(voted(seat, 'prevote'), { 0: null, 1: hex(id) })
  })

  it('of a locked member support another cut that was valid at or after the lock', () => {
    const seat = locked()
    seat.timeout('propose/1')
    seat.hear(...votes('prevote', 1, otherId), ...votes('precommit', 1, null))
    seat.timeout('prevote/1')
    seat.timeout('precommit/1')
    assert.equal(hex(seat.state.locked!.id), hex(id), 'without the body it neither locks nor unlocks')
    seat.hear(repeated(2, 1, other))
    const member = table.proposer(2)
    if (member !== self) assert.equal(voted(seat, 'prevote')[2], hex(otherId))
  })

  it('of a locked member do not support another cut that was valid before the lock', () => {
    const seat = deciding()
    seat.timeout('propose/0')
    seat.hear(...votes('prevote', 0, otherId), ...votes('precommit', 0, null))
    seat.timeout('prevote/0')
    seat.timeout('precommit/0')
    seat.hear(table.proposal(1, cut), ...votes('prevote', 1, id), ...votes('precommit', 1, null))
    assert.equal(seat.state.locked?.view, 1)
    seat.timeout('precommit/1')
    const view = seat.state.view
    assert.equal(view, 2)
    if (table.proposer(view) === self) return
    seat.hear(repeated(view, 0, other))
    assert.equal(voted(seat, 'prevote')[view], null)
  })
})

describe('rule 5, vote: lock and precommit', () => {
  it('follow q prevotes for the proposal: valid and the prevotes are logged before the precommit', () => {
    const seat = deciding()
    seat.hear(table.proposal(0, cut), ...votes('prevote', 0, id))
    assert.deepEqual(voted(seat, 'precommit'), { 0: hex(id) })
    assert.deepEqual(seat.state.locked, { view: 0, id })
    const [record, signed] = seat.log.slice(-2)
    assert.ok(record?.type === 'valid' && record.prevotes.length === 3 && signed?.type === 'signed')
  })

  it('need the body of the cut', () => {
    const seat = deciding()
    seat.timeout('propose/0')
    seat.hear(...votes('prevote', 0, id))
    assert.equal(seat.state.locked, undefined)
    seat.timeout('prevote/0')
    assert.deepEqual(voted(seat, 'precommit'), { 0: null })
    seat.hear(table.proposal(0, cut))
    assert.deepEqual(voted(seat, 'precommit'), { 0: null }, 'a vote stands')
    assert.equal(seat.state.locked, undefined)
    assert.equal(hex(seat.state.valid!.id), hex(id), 'but it is valid, and repeated at its next turn')
  })

  it('are for none at q prevotes for none', () => {
    const seat = deciding()
    seat.timeout('propose/0')
    seat.hear(...votes('prevote', 0, null, others.slice(1)))
    assert.deepEqual(voted(seat, 'precommit'), { 0: null })
  })

  it('follow a prevote quorum even if the proposer sent this member something else first', () => {
    const seat = deciding()
    seat.hear(table.proposal(0, other), table.proposal(0, cut))
    assert.deepEqual(voted(seat, 'prevote'), { 0: hex(otherId) })
    seat.hear(...votes('prevote', 0, id))
    assert.deepEqual(voted(seat, 'precommit'), { 0: hex(id) })
  })

  it('lead a proposer to repeat the valid cut with its view', () => {
    const seat = locked()
    const view = table.viewOf(self, 2)
    seat.hear(...votes('prevote', view, null, others.slice(0, 2)))
    assert.equal(seat.state.view, view, 'f + 1 members were ahead')
    const [said] = seat.said('proposal')
    assert.deepEqual(said?.body, { cut, validView: 0, readies: [] })
  })
})

describe('rule 5, vote: views', () => {
  it('end at once with q precommits for none if, and only if, the proposer was silent for rounds', () => {
    const proposer = table.proposer(0)
    const waiting = others.filter((member) => member !== proposer)
    const afterVain = (absences: ReadonlyMap<string, number>): Seat => {
      const seat = table.sit(self)
      seat.state = { ...seat.state, absences }
      seat.timeout('gather')
      seat.hear(...waiting.map((member) => table.ready(member, [])))
      seat.timeout('propose/0')
      seat.hear(...votes('prevote', 0, null, waiting))
      assert.deepEqual(voted(seat, 'precommit'), { 0: null })
      assert.equal(seat.state.view, 0)
      seat.hear(...votes('precommit', 0, null, waiting))
      return seat
    }
    assert.equal(afterVain(new Map([[hex(table.context.members[proposer]!.peer), 3]])).state.view, 1)
    assert.equal(afterVain(new Map()).state.view, 0)
  })

  it('jump ahead with f + 1 members there, but not with f', () => {
    const seat = deciding()
    seat.hear(table.said(others[0]!, 'prevote', 7, { cut: null }))
    assert.equal(seat.state.view, 0)
    seat.hear(table.said(others[1]!, 'precommit', 5, { cut: null }))
    assert.equal(seat.state.view, 5)
  })

  it('are not disturbed by one faulty member in the last possible view', () => {
    const seat = deciding()
    seat.hear(table.said(others[0]!, 'prevote', Number.MAX_SAFE_INTEGER, { cut: null }))
    assert.equal(seat.state.view, 0)
    seat.hear(table.proposal(0, cut))
    assert.deepEqual(voted(seat, 'prevote'), { 0: hex(id) })
  })

  it('continue when precommits do not agree, and grow longer', () => {
    const seat = deciding()
    seat.timeout('propose/0')
    seat.hear(...votes('precommit', 0, null))
    seat.timeout('precommit/0')
    seat.timeout('propose/1')
    const lengths = seat.done('timer').filter(({ timer }) => timer.startsWith('propose/'))
    assert.deepEqual(
      lengths.map(({ milliseconds }) => milliseconds),
      [500, 700]
    )
    assert.equal(seat.state.view, 1)
  })

  it('start when the charter says, whatever delays the member measured: the others have to be there', () => {
    const seat = deciding()
    const { voteMs } = table.context.charter.timeouts
    seat.state = { ...seat.state, delays: { ...NO_DELAYS, vote: [1] } }
    seat.timeout('propose/0')
    seat.hear(...votes('prevote', 0, id, others.slice(0, 2)), ...votes('precommit', 0, null))
    const lengths = seat.done('timer').filter(({ timer }) => /^pre(vote|commit).0/.test(timer))
    assert.deepEqual(
      lengths.map(({ timer, milliseconds }) => [timer, milliseconds]),
      [
        ['prevote/0', voteMs / 8],
        ['precommit/0', voteMs]
      ]
    )
  })

  it('set no timer that JavaScript would fire at once', () => {
    const slow = new ScriptedConsortium(4, {
      timeouts: { ...table.context.charter.timeouts, growthMs: 604_800_000 }
    })
    const seat = slow.sit(self)
    seat.hear(...firsts(3).map((member) => slow.ready(member, [])))
    seat.hear(...others.map((member) => slow.said(member, 'prevote', 50, { cut: null })))
    assert.ok(seat.done('timer').every(({ milliseconds }) => milliseconds < 2 ** 31))
  })
})

describe('rule 5, vote: commit', () => {
  it('counts precommits of any view, even an old one, and votes no more afterwards', () => {
    const seat = locked()
    seat.hear(...votes('precommit', 0, id, others.slice(0, 2)))
    assert.ok(seat.state.committed !== undefined && equalBytes(seat.state.committed.id, id))
    assert.equal(seat.state.phase, 'stacking')
    seat.hear(table.proposal(1, cut))
    seat.timeout('propose/1')
    assert.equal(voted(seat, 'prevote')[1], undefined)
  })

  it('waits for the body', () => {
    const seat = deciding()
    seat.timeout('propose/0')
    seat.hear(...votes('precommit', 0, id))
    assert.equal(seat.state.committed, undefined)
    seat.hear(table.proposal(0, cut))
    assert.ok(seat.state.committed)
  })

  it('does not combine precommits of different views', () => {
    const seat = deciding()
    seat.hear(table.proposal(0, cut), ...votes('precommit', 0, id, others.slice(0, 1)))
    seat.hear(...votes('precommit', 1, id, others.slice(1, 2)), ...votes('precommit', 2, id, others.slice(2)))
    assert.equal(seat.state.committed, undefined)
  })
})

describe('a member that equivocates', () => {
  const liar = table.proposer(0)
  const honest = others.filter((member) => member !== liar)

  it('cannot separate those who saw a quorum of prevotes from those who did not', () => {
    // It sent this member prevotes for two other cuts, and the next one a prevote for the cut that got a quorum there.
    const seat = deciding()
    for (const said of [otherId, cutId(table.context, third)])
      seat.hear(table.said(liar, 'prevote', 0, { cut: said }))
    seat.hear(table.proposal(0, cut), ...votes('prevote', 0, id, honest.slice(0, 1)))
    seat.timeout('prevote/0')
    assert.equal(seat.state.locked, undefined)
    const informed = deciding(honest[0]!)
    informed.hear(table.proposal(0, cut), ...votes('prevote', 0, id, [self, liar]))
    assert.deepEqual(voted(informed, 'precommit'), { 0: hex(id) })
    sync(seat, informed)
    seat.hear(...votes('precommit', 0, null))
    seat.timeout('precommit/0')
    seat.hear(table.said(table.proposer(1), 'proposal', 1, { cut, validView: 0, readies: [] }))
    assert.equal(voted(seat, 'prevote')[1], hex(id))
  })

  it('cannot withhold a commit, or the body of the cut, from those it told otherwise', () => {
    const seat = deciding()
    seat.hear(table.proposal(0, other), table.proposal(0, third))
    for (const said of [otherId, cutId(table.context, third)])
      seat.hear(table.said(liar, 'precommit', 0, { cut: said }))
    const [first, second] = honest as [number, number]
    const informed = deciding(first)
    informed.hear(table.proposal(0, cut), ...votes('prevote', 0, id, [second, liar]))
    informed.hear(...votes('precommit', 0, id, [second, liar]))
    assert.ok(informed.state.committed)
    for (let turn = 0; turn < 3; turn++) sync(seat, informed)
    assert.ok(seat.state.committed !== undefined && equalBytes(seat.state.committed.id, id))
  })

  it('is accused once per round and takes two slots, however much it sends', () => {
    const seat = deciding()
    for (let view = 0; view < 60; view++) {
      for (const said of [id, otherId, null]) {
        seat.hear(table.said(liar, 'prevote', view * 3, { cut: said }))
        seat.hear(table.said(liar, 'precommit', view * 3, { cut: said }))
      }
    }
    assert.equal(seat.done('equivocation').length, 1)
    const kept = [...slotsOf(seat.state, 'prevote'), ...slotsOf(seat.state, 'precommit')]
    const held = kept.flatMap(({ byAuthor }) => [...(byAuthor.get(liar) ?? [])])
    assert.ok(held.length <= 2 * 2 * 2, 'the views near, and the highest one')
    assert.ok(kept.length <= 2 * 2)
  })
})

/** One sync: `asker` gets what `answerer` thinks that it lacks. */
function sync(asker: Seat, answerer: Seat): void {
  const { certificates, messages } = answerSync(answerer.state, syncRequest(asker.state))
  asker.learn(...certificates)
  asker.hear(...messages.map((bytes) => table.read(bytes)))
}
