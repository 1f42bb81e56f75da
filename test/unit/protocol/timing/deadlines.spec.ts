import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { step } from '../../../../src/protocol/machine.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import { deadlinesOf } from '../../../../src/protocol/rules/measure.ts'
import type { PeerState } from '../../../../src/protocol/state/state.ts'
import { gatherDeadline, voteTimeout } from '../../../../src/protocol/timing/deadlines.ts'
import { NO_DELAYS } from '../../../../src/protocol/timing/delays.ts'
import { NO_MOMENTS } from '../../../../src/protocol/timing/moments.ts'

const table = new ScriptedConsortium(4)
const { timeouts } = table.context.charter
/** The member at the test's seat: not the first proposer, so that it waits for a proposal. */
const self = (table.proposer(0) + 1) % 4
const everybody = [0, 1, 2, 3]
const absent = (table.proposer(0) + 2) % 4

/** A member whose clock the test controls. */
function timedSeat(): { seat: Seat; clock: { now: number } } {
  const clock = { now: 1_000 }
  const environment = table.environment(self)
  const timed = Object.defineProperty({ ...environment }, 'now', { enumerable: true, get: () => clock.now })
  return { seat: table.sitIn(timed), clock }
}

/**
 * A first round up to the commit: certificates, the proposal and the votes come after the given times.
 *
 * @param heard members who say anything; those among them whom `certified` does not name are not in the cut
 * @param late members whose manifests come, and are not certified
 */
function liveThrough(heard = everybody, certified = heard, late: readonly number[] = []) {
  const { seat, clock } = timedSeat()
  const manifests = certified.map((author) => table.manifest(author))
  const cut = table.cut(manifests)
  const id = cutId(table.context, cut)
  const others = heard.filter((member) => member !== self)
  const voters = heard.length === 4 ? others.slice(0, 3) : others
  seat.timeout('train')
  clock.now += 700
  seat.learn(...manifests.map((manifest) => table.certificate(manifest)))
  seat.hear(...late.map((author) => table.manifest(author)))
  clock.now += 40
  seat.hear(...heard.map((member) => table.ready(member, certified)).filter(({ author }) => author !== self))
  clock.now += 120
  seat.timeout('gather')
  seat.hear(table.proposal(0, cut, heard.slice(0, 3)))
  clock.now += 60
  seat.hear(...voters.map((member) => table.said(member, 'prevote', 0, { cut: id })))
  clock.now += 30
  seat.hear(...voters.map((member) => table.said(member, 'precommit', 0, { cut: id })))
  assert(seat.state.committed !== undefined)
  return seat.state
}

describe('rule 5: deadlines', () => {
  it('equal those of the charter until something is measured, without reading a clock', () => {
    const { state } = table.sit(self)
    assert.deepEqual(state.delays, NO_DELAYS)
    const { gatherMs, graceMs, proposeMs, voteMs } = timeouts
    assert.deepEqual(deadlinesOf(state), { gatherMs, graceMs, proposeMs, voteMs })
    assert.equal(state.moments, NO_MOMENTS)
  })

  it('follow the duration of the decided view and of gathering', () => {
    const { delays } = liveThrough()
    assert.deepEqual(delays, { proposal: [120], vote: [60], gather: [700], grace: [0], doubled: 0 })
  })

  it('ignore a gathering from which a present member was left out', () => {
    const { delays } = liveThrough(
      everybody,
      everybody.filter((member) => member !== absent)
    )
    assert.deepEqual(delays.gather, [])
    assert.deepEqual(delays.vote, [60])
  })

  it('use a gathering from which only an absent member is missing', () => {
    const { delays } = liveThrough(everybody.filter((member) => member !== absent))
    assert.deepEqual(delays.gather, [700])
  })

  it('start a view from the adapted time, and add the growth of the charter to it', () => {
    const { seat } = timedSeat()
    const moved = { ...seat.state, delays: { ...NO_DELAYS, proposal: [timeouts.proposeMs] } }
    assert.equal(deadlinesOf(moved).proposeMs, 4 * timeouts.proposeMs)
    const inView3 = firsts(3)
      .map((author) => table.said(author, 'prevote', 3, { cut: null }))
      .filter(({ author }) => author !== self)
    let state: PeerState = { ...moved, phase: 'deciding', view: 0 }
    const timers = inView3.flatMap((message) => {
      const next = step(state, { type: 'message', message }, table.environment(self))
      state = next.state
      return next.effects.filter((effect) => effect.type === 'timer')
    })
    assert.deepEqual(
      timers.map(({ timer, milliseconds }) => [timer, milliseconds]),
      [['propose/3', 4 * timeouts.proposeMs + 3 * timeouts.growthMs]]
    )
  })

  it('keep a fitting vote timeout, and change it by a factor of 8 at most', () => {
    assert.equal(voteTimeout(1_000, []), 1_000)
    assert.equal(voteTimeout(1_000, [250]), 1_000)
    assert.equal(voteTimeout(1_000, [1]), 125)
    assert.equal(voteTimeout(1_000, [500]), 2_000)
    assert.equal(voteTimeout(1_000, [60_000]), 8_000)
  })

  it('are not stretched by fewer than half of the proposers', () => {
    assert.equal(voteTimeout(1_000, [9_000, 100, 9_000, 100, 100]), 400)
  })

  it('limit gathering to the charter’s time, and shorten it only after three rounds', () => {
    assert.equal(gatherDeadline(8_000, [100, 100], 0), 8_000)
    assert.equal(gatherDeadline(8_000, [100, 100, 100], 0), 1_000)
    assert.equal(gatherDeadline(8_000, [100, 900, 100], 0), 1_800)
    assert.equal(gatherDeadline(8_000, [100, 7_000, 100], 0), 8_000)
  })

  it('double the gather time when more manifests were late than can be faulty, and halve it again', () => {
    assert.equal(liveThrough(everybody, []).delays.doubled, 0, 'without a manifest nothing was late')
    const { delays } = liveThrough(everybody, [], [1, 2])
    assert.deepEqual([delays.doubled, delays.gather], [1, []])
    assert.equal(liveThrough(everybody, [], [1]).delays.doubled, 0, 'one of four may be faulty')
    assert.equal(gatherDeadline(8_000, [], 1), 16_000)
    assert.equal(gatherDeadline(8_000, [], 3), 64_000)
    assert.equal(gatherDeadline(8_000, [100, 100, 100], 3), 1_000)
  })
})
