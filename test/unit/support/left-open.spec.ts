import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { leftOpen } from '../../support/left-open.ts'

describe('handles that keep a test process from exiting', () => {
  it('are named: a timer with the file that set it, and a server', async () => {
    const timer = setTimeout(() => undefined, 1_234_567)
    const harmless = setTimeout(() => undefined, 7_654_321).unref()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const lines = leftOpen()
    clearTimeout(timer)
    clearTimeout(harmless)
    server.close()
    const [named] = lines.filter((line) => line.includes('1234567'))
    assert.match(named!, /^timer of 1234567 ms, set in file:.*left-open\.spec\.js:\d+$/)
    assert(!lines.some((line) => line.includes('7654321')))
    assert(lines.includes('Server'), lines.join('\n'))
  })
})
