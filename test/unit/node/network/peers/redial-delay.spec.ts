import assert from 'node:assert/strict'
import { redialDelay } from '../../../../../src/node/network/peers/redial-delay.ts'

describe('the delay before a redial', () => {
  it('doubles with every failed dial, up to 20 seconds', () => {
    const delays = Array.from({ length: 2000 }, (_, failures) => redialDelay(failures, false))
    assert.deepEqual(delays.slice(0, 8), [250, 500, 1000, 2000, 4000, 8000, 16_000, 20_000])
    assert(delays.slice(7).every((delay) => delay === 20_000))
  })

  it('is at most 5 seconds for a configured address', () => {
    const delays = Array.from({ length: 2000 }, (_, failures) => redialDelay(failures, true))
    assert.deepEqual(delays.slice(0, 6), [250, 500, 1000, 2000, 4000, 5000])
    assert(delays.slice(5).every((delay) => delay === 5000))
  })
})
