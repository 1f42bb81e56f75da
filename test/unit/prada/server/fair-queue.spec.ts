import assert from 'node:assert/strict'
import { setImmediate as soon } from 'node:timers/promises'
import { createFairQueue, type FairQueue } from '../../../../src/prada/server/fair-queue.ts'
import { ServiceError } from '../../../../src/prada/server/service-error.ts'

const never = new AbortController().signal

/** Work that ends on demand. */
function openWork(): { run: () => Promise<void>; end: () => void } {
  let end = (): void => undefined
  const done = new Promise<void>((resolve) => {
    end = resolve
  })
  return { run: () => done, end }
}

describe('the fair queue with several slots', () => {
  const ROOM = { waiting: 10, waitingPerClient: 5 }
  /** Starts work that records its name when its turn comes. */
  const note = (queue: FairQueue, order: string[], client: string, name: string, signal = never) => {
    const work = openWork()
    const done = queue.run(client, signal, () => {
      order.push(name)
      return work.run()
    })
    return { ...work, done }
  }

  it('gives the next turn to the client that has waited longest since its last one', async () => {
    const queue = createFairQueue(ROOM)
    const order: string[] = []
    const works = [
      note(queue, order, 'a', 'a1'),
      note(queue, order, 'a', 'a2'),
      note(queue, order, 'a', 'a3'),
      note(queue, order, 'b', 'b1')
    ]
    for (const { end } of works) end()
    await Promise.all(works.map(({ done }) => done))
    assert.deepEqual(order, ['a1', 'b1', 'a2', 'a3'])
  })

  it('runs as many requests as there are slots, limited per client', async () => {
    const queue = createFairQueue({ ...ROOM, atOnce: 3, atOncePerClient: 2 })
    const order: string[] = []
    const [a1, , a3] = ['a1', 'a2', 'a3', 'a4'].map((name) => note(queue, order, 'a', name))
    await soon()
    assert.deepEqual([order, queue.length, queue.waiting], [['a1', 'a2'], 4, 2])
    const b1 = note(queue, order, 'b', 'b1')
    await soon()
    assert.deepEqual(order, ['a1', 'a2', 'b1'])
    b1.end()
    await b1.done
    assert.deepEqual(order, ['a1', 'a2', 'b1'])
    a1!.end()
    await a1!.done
    assert.deepEqual(order, ['a1', 'a2', 'b1', 'a3'])
    a3!.end()
    await a3!.done
    assert.deepEqual([order.at(-1), queue.length, queue.waiting], ['a4', 2, 0])
  })

  it('refuses requests beyond its bound, and forgets clients that leave', async () => {
    const queue = createFairQueue({ waiting: 2, waitingPerClient: 1 })
    const order: string[] = []
    const first = note(queue, order, 'a', 'a1')
    const leaving = new AbortController()
    const second = note(queue, order, 'a', 'a2', leaving.signal)
    await assert.rejects(note(queue, order, 'a', 'a3').done, ServiceError)
    leaving.abort(new Error('left'))
    await assert.rejects(second.done, /left/)
    const third = note(queue, order, 'a', 'a4')
    first.end()
    third.end()
    await third.done
    await soon()
    assert.deepEqual([order, queue.length], [['a1', 'a4'], 0])
  })
})
