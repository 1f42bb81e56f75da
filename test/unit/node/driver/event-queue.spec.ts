import assert from 'node:assert/strict'
import { EventQueue } from '../../../../src/node/driver/event-queue.ts'

/** A promise and how to fulfil it. */
function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

describe('the event queue', () => {
  it('processes one event at a time in order of arrival, including those that arrive meanwhile', async () => {
    const taken: number[] = []
    let atOnce = 0
    const done = gate()
    const queue = new EventQueue<number>(async (event) => {
      assert.equal(++atOnce, 1)
      await Promise.resolve()
      taken.push(event)
      if (event < 3) queue.push(event + 10)
      if (taken.length === 6) done.open()
      atOnce--
    })
    for (const event of [0, 1, 2]) queue.push(event)
    await done.opened
    assert.deepEqual(taken, [0, 1, 2, 10, 11, 12])
  })

  it('is bounded', async () => {
    const { opened, open } = gate()
    const queue = new EventQueue<number>(() => opened)
    let pushed = 0
    for (; queue.hasRoom; pushed++) queue.push(pushed)
    assert(pushed > 1000 && pushed < 100_000)
    const closed = queue.close()
    open()
    await closed
  })

  it('ends after the running event, and takes no further one', async () => {
    const taken: number[] = []
    const { opened, open } = gate()
    const queue = new EventQueue<number>(async (event) => {
      await opened
      taken.push(event)
    })
    queue.push(1)
    queue.push(2)
    let isClosed = false
    const closed = queue.close().then(() => {
      isClosed = true
    })
    queue.push(3)
    assert(!isClosed && !queue.hasRoom)
    open()
    await closed
    assert.deepEqual(taken, [1])
  })
})
