import assert from 'node:assert/strict'
import { PhaseClock } from '../../../../src/node/driver/phase-clock.ts'

describe('the phase clock', () => {
  it('accumulates each phase, including a re-entered one, and resets with each round', () => {
    const clock = new PhaseClock(100)
    clock.enter('gathering', 130)
    clock.enter('gathering', 140)
    clock.enter('deciding', 150)
    clock.enter('gathering', 155)
    clock.enter('stacking', 160.4)
    clock.enter('sealing', 170)
    assert.deepEqual(clock.finish(171), { train: 30, gather: 25, decide: 5, stack: 10, seal: 1 })
    clock.enter('gathering', 181)
    assert.deepEqual(clock.finish(183), { train: 10, gather: 2, decide: 0, stack: 0, seal: 0 })
  })
})
