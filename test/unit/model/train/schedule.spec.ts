import assert from 'node:assert/strict'
import fc from 'fast-check'
import { learningRateAt } from '../../../../src/model/index.ts'

describe('learning rate schedule', () => {
  it('warms up linearly, then stays constant or follows a half cosine', () => {
    const cosine = { kind: 'cosine', learningRate: 2, warmupSteps: 4, finalShare: 0.1 } as const
    assert.deepEqual(
      [0, 1, 3, 4, 12, 20].map((step) => Number(learningRateAt(cosine, step, 20).toFixed(9))),
      [0.5, 1, 2, 2, 1.1, 0.2]
    )
    const constant = { kind: 'constant', learningRate: 2, warmupSteps: 4 } as const
    assert.deepEqual(
      [0, 3, 4, 19].map((step) => learningRateAt(constant, step, 20)),
      [0.5, 2, 2, 2]
    )
  })

  it('stays above 0 and within its peak, and never rises after the warm-up', () => {
    const settings = fc.record({
      kind: fc.constantFrom('constant', 'cosine'),
      learningRate: fc.double({ min: 1e-6, max: 1, noNaN: true }),
      warmupSteps: fc.nat(20),
      finalShare: fc.double({ min: 0, max: 1, noNaN: true })
    })
    fc.assert(
      fc.property(settings, fc.integer({ min: 1, max: 100 }), (schedule, steps) => {
        const rates = Array.from({ length: steps }, (_, step) => learningRateAt(schedule, step, steps))
        for (const [step, rate] of rates.entries()) {
          assert.ok(rate > 0 && rate <= schedule.learningRate * (1 + 1e-12))
          if (step > schedule.warmupSteps) assert.ok(rate <= rates[step - 1]! * (1 + 1e-12))
        }
      })
    )
  })
})
