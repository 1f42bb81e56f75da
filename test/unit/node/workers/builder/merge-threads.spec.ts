import assert from 'node:assert/strict'
import { mergePair } from '../../../../../src/adapter/index.ts'
import { mergeThreads, toShared } from '../../../../../src/node/workers/builder/merge-threads.ts'

/** A merge large enough to be split, with shapes that no tile or chunk divides evenly. */
const [rows, columns, rank] = [515, 1027, 33]
const values = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.fround((((i * 7919 + seed) % 2003) - 1001) / 977))
const pair = {
  module: 'm',
  rank,
  alpha: rank,
  inFeatures: columns,
  outFeatures: rows,
  A: values(rank * columns, 1),
  B: values(rows * rank, 2)
}
const weight = values(rows * columns, 3)
const expected = Buffer.from(mergePair(weight, pair).buffer)
const bytes = ({ buffer }: Float32Array) => Buffer.from(buffer)

describe('merge threads', () => {
  for (const count of [1, 2, 3, 5]) {
    it(`give the same bits with ${count} of them`, async () => {
      const threads = mergeThreads(count)
      for (let repeat = 0; repeat < 3; repeat++) {
        const shared = toShared(weight.slice())
        await threads.merge(shared, pair)
        assert(bytes(shared).equals(expected))
      }
      await threads.stop()
    })
  }

  it('merge a weight in pieces, in any order, interleaved with another', async () => {
    const threads = mergeThreads(2)
    const shared = toShared(weight.slice())
    const other = { ...pair, A: pair.A.map((value) => -value) }
    const elsewhere = toShared(weight.slice())
    for (const [from, to] of [
      [300, 515],
      [0, 7],
      [7, 300]
    ] as const) {
      await threads.merge(shared.subarray(from * columns, to * columns), pair, from)
      await threads.merge(elsewhere.subarray(from * columns, to * columns), other, from)
    }
    assert(bytes(shared).equals(expected))
    assert(bytes(elsewhere).equals(Buffer.from(mergePair(weight, other).buffer)))
    await assert.rejects(threads.merge(shared.subarray(0, 2 * columns), pair, 514), /another shape/)
    await threads.stop()
  })

  it('merge memory that is not shared, too, and refuse incompatible input', async () => {
    const threads = mergeThreads(2)
    const own = weight.slice()
    await threads.merge(own, pair)
    assert(bytes(own).equals(expected))
    await assert.rejects(threads.merge(own.subarray(1), pair), /another shape/)
    await threads.stop()
  })

  it('report when one of them dies, and continue without it', async () => {
    const threads = mergeThreads(3, new URL('data:text/javascript,process.exit(3)'))
    await assert.rejects(threads.merge(toShared(weight), pair), /a merge thread has ended/)
    const shared = toShared(weight)
    await threads.merge(shared, pair)
    assert(bytes(shared).equals(expected))
    await threads.stop()
  })
})
