import assert from 'node:assert/strict'
import { ProviderBook } from '../../../../../src/node/network/transfer/provider-book.ts'

const evenly = () => 0.5
const digest = 'd'

describe('the provider book', () => {
  it('asks peers that answered before those that failed, and a liar last', () => {
    const book = new ProviderBook()
    book.failed('slow', 0, false)
    book.failed('liar', 0, true)
    assert.deepEqual(book.ready(['liar', 'slow', 'new'], 60_000, evenly), ['new', 'slow', 'liar'])
    book.succeeded('liar')
    assert.deepEqual(book.ready(['slow', 'liar'], 60_000, evenly), ['liar', 'slow'])
  })

  it('backs off from a failing provider up to a limit', () => {
    const book = new ProviderBook()
    const delay = (now: number) => {
      book.failed('a', now, false)
      let wait = 0
      while (book.ready(['a'], now + wait, evenly).length === 0) wait += 10
      return wait
    }
    const delays = Array.from({ length: 12 }, (_, i) => delay(i * 1e6))
    assert.deepEqual(delays.slice(0, 4), [500, 1000, 2000, 4000])
    assert.equal(delays.at(-1), 30_000)
  })

  it('asks fast providers before slow ones, and a slow one for less at once', () => {
    const book = new ProviderBook()
    book.measured('slow', 10_000, 1_000)
    book.measured('fast', 1024 * 1024, 10)
    assert.deepEqual(book.ready(['slow', 'fast'], 0, evenly), ['fast', 'slow'])
    assert(book.batchBytes('slow') < 128 * 1024)
    assert.equal(book.batchBytes('fast'), book.batchBytes('new'))
  })

  it('does not ask a provider before the time that it named', () => {
    const book = new ProviderBook()
    book.busyUntil('b', 100)
    assert.deepEqual(book.ready(['a', 'b'], 99, evenly), ['a'])
    assert(!book.isHealthy('b', 99) && book.isHealthy('b', 100))
    book.withholds('a', digest, 50)
    assert(!book.mayHave('a', digest, 49) && book.mayHave('a', digest, 50))
  })

  it('asks a provider again later for a block that it lacked', () => {
    const book = new ProviderBook()
    assert(book.mayHave('a', digest, 0))
    book.lacks('a', digest, 0)
    assert(!book.mayHave('a', digest, 499))
    assert(book.mayHave('b', digest, 0) && book.mayHave('a', 'other', 0))
    assert(book.mayHave('a', digest, 500))
    book.lacks('a', digest, 500)
    assert(!book.mayHave('a', digest, 1499))
    book.forget(digest)
    assert(book.mayHave('a', digest, 1499))
  })
})
