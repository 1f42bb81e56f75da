import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { withDeadline } from '../../../../../src/node/network/requests/deadline.ts'
import { NetworkError } from '../../../../../src/node/network/requests/network-error.ts'

const never = () => new Promise<never>(() => undefined)
const withCode = (code: string) => (error: unknown) => error instanceof NetworkError && error.code === code

describe('a deadline', () => {
  it('passes results and failures through', async () => {
    assert.equal(await withDeadline('work', 1000, undefined, async () => 7), 7)
    await assert.rejects(
      withDeadline('work', 1000, undefined, async () => Promise.reject(new RangeError('own'))),
      RangeError
    )
  })

  it('ends work that ignores its signal, and says what was being done', async () => {
    let seen: AbortSignal | undefined
    const ended = withDeadline('asking nobody', 1, undefined, (signal) => {
      seen = signal
      return never()
    })
    await assert.rejects(
      ended,
      (error) => withCode('timeout')(error) && /^NetworkError: asking nobody: /.test(String(error))
    )
    assert(seen?.aborted)
  })

  it('follows the parent signal, before and during the work, and leaves no listener on it', async () => {
    const controller = new AbortController()
    const during = withDeadline('work', 60_000, controller.signal, never)
    assert.equal(getEventListeners(controller.signal, 'abort').length, 1)
    controller.abort()
    await assert.rejects(during, withCode('aborted'))
    let called = false
    const after = withDeadline('work', 60_000, controller.signal, async () => {
      called = true
    })
    await assert.rejects(after, withCode('aborted'))
    assert.equal(called, false)
    const lasting = new AbortController().signal
    for (let i = 0; i < 20; i++) await withDeadline('work', 60_000, lasting, async () => i)
    assert.equal(getEventListeners(lasting, 'abort').length, 0)
  })
})
