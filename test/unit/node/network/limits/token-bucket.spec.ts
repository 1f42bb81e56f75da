import assert from 'node:assert/strict'
import { TokenBuckets } from '../../../../../src/node/network/limits/token-bucket.ts'

describe('token buckets', () => {
  it('allow a burst at once and then the rate, per key', () => {
    const buckets = new TokenBuckets({ perSecond: 2, burst: 3 })
    assert.deepEqual(
      [1, 2, 3, 4].map(() => buckets.take('a', 0)),
      [true, true, true, false]
    )
    assert.equal(buckets.take('b', 0), true)
    assert.equal(buckets.take('a', 400), false)
    assert.equal(buckets.take('a', 500), true)
    assert.equal(buckets.take('a', 500), false)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => buckets.take('a', 60_000)),
      [true, true, true, false]
    )
  })

  it('forget a key once its bucket is full again', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 5 })
    for (let i = 0; i < 100; i++) buckets.take(`peer ${i}`, i)
    assert.equal(buckets.size, 100)
    buckets.take('late', 5050)
    assert.equal(buckets.size, 50)
    buckets.take('later', 20_000)
    assert.equal(buckets.size, 1)
  })
})
