import assert from 'node:assert/strict'
import { UploadLimit } from '../../../../../src/node/network/transfer/upload-limit.ts'

describe('the upload limit', () => {
  it('delays nothing when unset', async () => {
    const limit = new UploadLimit(undefined)
    for (let index = 0; index < 100; index++) assert.equal(limit.reserve(1e9, 0), 0)
    await limit.admit(1e9)
  })

  it('queues each request behind earlier ones', () => {
    const limit = new UploadLimit(1_000_000)
    assert.deepEqual(
      [150_000, 150_000, 150_000].map((bytes) => limit.reserve(bytes, 10_000)),
      [0, 50, 200]
    )
    assert.equal(limit.reserve(150_000, 10_200), 150)
    assert.equal(limit.reserve(150_000, 60_000), 0)
  })
})
