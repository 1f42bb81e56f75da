import assert from 'node:assert/strict'
import { askShortly } from '../../integration/prada/ask-shortly.ts'

describe('the endpoint over many requests', function () {
  this.timeout(600_000)

  it('leaks nothing over a thousand texts, a third of them abandoned midway', async () => {
    const { load, grownBytes, failures } = await askShortly(1_020)
    assert.deepEqual(load, { sessions: 0, cachedTokens: 0, requests: 0 })
    assert.deepEqual(failures, [])
    assert.ok(grownBytes < 3e6, `the heap grew by ${grownBytes} bytes over 680 texts`)
  })
})
