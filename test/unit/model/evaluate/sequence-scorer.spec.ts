import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parameterFeeds } from '../../../../src/model/evaluate/parameter-feeds.ts'
import {
  createOnnxRuntimeExecutor,
  createSequenceScorer,
  initialiseLlama,
  overlappingWindows
} from '../../../../src/model/index.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'

describe('overlapping windows', () => {
  it('score every token but the first exactly once, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        (ids, length) => {
          const windows = overlappingWindows(ids, length).map((window) => Array.from(window))
          assert.deepEqual(
            windows.flatMap((window) => window.slice(1)),
            ids.slice(1)
          )
          for (const [index, window] of windows.entries()) {
            assert.ok(window.length >= 2 && window.length <= length + 1)
            assert.equal(window[0], ids[index * length])
          }
        }
      )
    )
  })
})

describe('sequence scorer', () => {
  const parameters = parameterFeeds(initialiseLlama(TINY_CONFIG, 1))
  const executor = createOnnxRuntimeExecutor({ threads: 1 })
  const sequences = [[3], [1, 2, 3], [7, 5, 1, 2, 8, 4, 6, 2, 9], [2, 4]]

  it('gives each sequence the same score as alone, in one run or in several', async () => {
    const alone = createSequenceScorer({ config: TINY_CONFIG, executor, rows: 1, length: 8 })
    const together = createSequenceScorer({ config: TINY_CONFIG, executor, rows: 2 })
    const expected = await alone.score(sequences, parameters)
    const found = await together.score(sequences, parameters)
    for (const [index, scores] of expected.entries()) {
      assert.equal(found[index]!.length, sequences[index]!.length - 1)
      for (const [place, score] of scores.entries()) assert.ok(Math.abs(found[index]![place]! - score) < 1e-5)
    }
    await alone.dispose()
    await together.dispose()
  })

  it('refuses ids and lengths beyond the model’s limits, and stops on request', async () => {
    const scorer = createSequenceScorer({ config: TINY_CONFIG, executor, rows: 2, length: 4 })
    await assert.rejects(scorer.score([[1, 2, 999]], parameters), /token id 999 is outside the vocabulary/)
    await assert.rejects(scorer.score([[1, 2, 3, 4, 5, 6]], parameters), /6 tokens is longer than a row of 4/)
    const stop = new Error('enough')
    const seen: number[] = []
    await assert.rejects(
      scorer.score(
        [
          [1, 2],
          [1, 3],
          [1, 4]
        ],
        parameters,
        (done) => {
          seen.push(done)
          if (done > 0) throw stop
        }
      ),
      stop
    )
    assert.deepEqual(seen, [0, 2])
    await scorer.dispose()
  })
})
