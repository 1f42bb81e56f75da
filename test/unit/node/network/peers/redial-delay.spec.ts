import assert from 'node:assert/strict'
import { redialDelay } from '../../../../../src/node/network/peers/redial-delay.ts'

describe('the time until a peer is dialled again', () => {
  it('doubles with every dial that came to nothing, and stays at 20 seconds', () => {
    const delays = Array.from({ length: 2000 }, (_, failures) => redialDelay(failures, false))
    assert.deepEqual(delays.slice(0, 8), [250, 500, 1000, 2000, 4000, 8000, 16_000, 20_000])
    assert(delays.slice(7).every((delay) => delay === 20_000))
  })

  it('stays at 5 seconds where a person gave the address', () => {
    const delays = Array.from({ length: 2000 }, (_, failures) => redialDelay(failures, true))
    assert.deepEqual(delays.slice(0, 6), [250, 500, 1000, 2000, 4000, 5000])
    assert(delays.slice(5).every((delay) => delay === 5000))
  })
})
