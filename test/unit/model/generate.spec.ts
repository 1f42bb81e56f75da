import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createGenerator, initialiseLlama, loadBaseModel } from '../../../src/model/index.ts'
import { STORIES_FOLDER, TINY_CONFIG } from './tiny-llama.ts'

describe('generator', () => {
  const weights = initialiseLlama(TINY_CONFIG, 3)

  it('repeats itself by its seed, past its window', async () => {
    const generator = await createGenerator({ config: TINY_CONFIG, window: 5 })
    const sample = (seed: number): Promise<number[]> =>
      generator.generate({ weights, ids: [1, 2], maxTokens: 20, seed })
    const first = await sample(1)
    assert.equal(first.length, 20)
    assert.deepEqual(await sample(1), first)
    assert.notDeepEqual(await sample(2), first)
    await generator.dispose()
  })

  it('does not see what stands behind the last token, and forgets what left the window', async () => {
    const generator = await createGenerator({ config: TINY_CONFIG, window: 5 })
    const greedy = async (ids: number[]): Promise<number[]> =>
      generator.generate({ weights, ids, maxTokens: 1, temperature: 0 })
    const short = await greedy([3, 4])
    await greedy([7, 8, 9, 10, 11])
    assert.deepEqual(await greedy([3, 4]), short)
    assert.deepEqual(await greedy([20, 1, 2, 3, 4, 5]), await greedy([21, 1, 2, 3, 4, 5]))
    await generator.dispose()
  })

  it('ends at a stop token without returning it', async () => {
    const generator = await createGenerator({ config: TINY_CONFIG, window: 8 })
    const run = { weights, ids: [1], maxTokens: 6, temperature: 0 }
    const free = await generator.generate(run)
    assert.deepEqual(
      await generator.generate({ ...run, stopIds: [free[2]!] }),
      free.slice(0, free.indexOf(free[2]!))
    )
    await assert.rejects(generator.generate({ ...run, ids: [] }), /at least one token/)
    await assert.rejects(generator.generate({ ...run, ids: [99] }), /token id 99/)
    await generator.dispose()
  })

  it('tells the story that stories260k is known for', async function () {
    if (!existsSync(STORIES_FOLDER)) {
      console.log(`      skipped: there is no ${STORIES_FOLDER} (set LOAM_SHARED)`)
      this.skip()
    }
    const { config, tokenizer, weights: pretrained } = loadBaseModel(STORIES_FOLDER)
    const generator = await createGenerator({ config, window: 64 })
    const ids = await generator.generate({
      weights: pretrained,
      ids: [tokenizer.bosId!],
      maxTokens: 40,
      temperature: 0
    })
    const beginning =
      'Once upon a time, there was a little girl named Lily. She loved to play outside in the park.'
    assert.equal(tokenizer.decode(ids).slice(0, beginning.length), beginning)
    await generator.dispose()
  })
})
