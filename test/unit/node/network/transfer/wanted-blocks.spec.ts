import assert from 'node:assert/strict'
import type { PeerId } from '@libp2p/interface'
import {
  BATCH_BYTES_MAX,
  DIGESTS_PER_REQUEST_MAX
} from '../../../../../src/node/network/transfer/constants.ts'
import { ProviderBook } from '../../../../../src/node/network/transfer/provider-book.ts'
import { type FetchJob, WantedBlocks } from '../../../../../src/node/network/transfer/wanted-blocks.ts'

const job = (certain: readonly string[], author?: string): FetchJob => ({
  pending: new Set(),
  certain: new Map(certain.map((name) => [name, {} as PeerId])),
  author
})

describe('the choice of blocks', () => {
  let told: Map<string, Set<string>>
  let book: ProviderBook
  let wanted: WantedBlocks

  beforeEach(() => {
    told = new Map()
    book = new ProviderBook()
    let ticks = 0
    wanted = new WantedBlocks({ providers: (digest) => told.get(digest) ?? new Set() }, book, () => ticks++)
  })
  const tell = (digest: string, ...names: string[]) => told.set(digest, new Set(names))
  const take = (provider: string, sharers = 1, now = 0) =>
    wanted.take(provider, sharers, now).map(({ digest }) => digest)

  it('prefers the rarest, each from one provider at a time', () => {
    const one = job(['a'])
    for (const digest of ['common', 'rare', 'known']) wanted.add(digest, BATCH_BYTES_MAX / 2, one)
    tell('common', 'b', 'c')
    tell('known', 'b')
    assert.deepEqual(take('a'), ['rare', 'known'])
    assert.deepEqual(take('b'), ['common'])
    assert.deepEqual(take('c'), [])
  })

  it('asks only peers that have a block, and pauses for a peer that did not send it', () => {
    wanted.add('d', 10, job([]))
    assert.deepEqual(take('a'), [])
    tell('d', 'a')
    book.withholds('a', 'd', 50)
    assert.deepEqual(take('a', 1, 49), [])
    assert.deepEqual(take('a', 1, 50), ['d'])
  })

  it('reserves an author’s uplink for blocks that nobody else serves', () => {
    wanted.add('only', 10, job(['author'], 'author'))
    wanted.add('spread', 10, job(['author'], 'author'))
    tell('spread', 'b')
    assert.deepEqual(take('author'), ['only'])
    book.failed('b', 0, false)
    assert.deepEqual(take('author'), ['spread'])
  })

  it('spreads blocks over the peers that have them, and bounds each request', () => {
    const one = job(['a', 'b'])
    for (let index = 0; index < 1000; index++) wanted.add(String(index), 100, one)
    assert.equal(take('a', 10).length, 100)
    assert.equal(take('b', 1).length, DIGESTS_PER_REQUEST_MAX)
    book.measured('slow', 1, 1000)
    wanted.add('x', 60_000, job(['slow']))
    wanted.add('y', 60_000, job(['slow']))
    assert.equal(take('slow', 1).length, 1)
  })

  it('asks a second provider for the last block when the first is late', () => {
    wanted.add('d', 10, job(['slow', 'fast']))
    assert.deepEqual(take('slow'), ['d'])
    assert.deepEqual(take('fast', 1, 100), [])
    assert.deepEqual(take('fast', 1, 10_000), ['d'])
    assert.deepEqual(take('slow', 1, 20_000), [])
  })

  it('drops the blocks of a finished job unless another job wants them', () => {
    const [first, second] = [job(['a']), job(['a'])]
    for (const digest of ['both', 'first']) {
      first.pending.add(digest)
      wanted.add(digest, 10, first)
    }
    wanted.add('both', 10, second)
    wanted.removeJob(first)
    assert.deepEqual(take('a'), ['both'])
    wanted.remove('both')
    assert.equal(wanted.get('both'), undefined)
  })
})
