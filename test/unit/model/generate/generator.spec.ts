import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import {
  createGenerator,
  type FinishReason,
  initialiseLlama,
  loadBaseModel
} from '../../../../src/model/index.ts'
import { STORIES_FOLDER, TINY_CONFIG } from '../tiny-llama.ts'
import { wholeTextLogits } from './whole-text.ts'

describe('generator', () => {
  const weights = initialiseLlama(TINY_CONFIG, 3)

  it('is deterministic for a seed', async () => {
    const generator = await createGenerator({ config: TINY_CONFIG })
    const sample = (seed: number): Promise<number[]> =>
      generator.generate({ weights, ids: [1, 2], maxTokens: 20, seed })
    const first = await sample(1)
    assert.equal(first.length, 20)
    assert.deepEqual(await sample(1), first)
    assert.notDeepEqual(await sample(2), first)
    await generator.dispose()
  })

  it('is greedy like a pass over the whole text', async () => {
    const generator = await createGenerator({ config: TINY_CONFIG })
    const start = [3, 4, 5]
    const added = await generator.generate({ weights, ids: start, maxTokens: 20, temperature: 0 })
    const text = [...start]
    for (const id of added) {
      const logits = await wholeTextLogits({ config: TINY_CONFIG, weights }, text)
      assert.equal(id, logits.indexOf(Math.max(...logits)))
      text.push(id)
    }
    await generator.dispose()
  })

  it('reports why it ended: a stop token, enough tokens, a full context', async () => {
    const generator = await createGenerator({ config: TINY_CONFIG, context: 12 })
    const run = { weights, ids: [1], maxTokens: 6, temperature: 0 }
    const collect = async (options: object): Promise<{ ids: number[]; reason: FinishReason }> => {
      const stream = generator.stream({ ...run, ...options })
      const ids: number[] = []
      for (;;) {
        const { done, value } = await stream.next()
        if (done) return { ids, reason: value }
        ids.push(value)
      }
    }
    const free = await collect({})
    assert.equal(free.reason, 'length')
    assert.equal(free.ids.length, 6)
    const stop = free.ids[2]!
    assert.deepEqual(await collect({ stopIds: [stop] }), {
      ids: free.ids.slice(0, free.ids.indexOf(stop)),
      reason: 'stop'
    })
    assert.equal((await collect({ maxTokens: 100 })).ids.length, 11)
    await assert.rejects(collect({ ids: [] }), /at least one token/)
    await assert.rejects(collect({ ids: [99] }), /token id 99/)
    await assert.rejects(
      collect({ ids: Array(12).fill(1) }),
      /12 tokens, which leaves no room in the context of 12/
    )
    await assert.rejects(collect({ signal: AbortSignal.abort(new Error('enough')) }), /enough/)
    await generator.dispose()
  })

  it('reproduces the known story of stories260k', async function () {
    if (!existsSync(STORIES_FOLDER)) {
      console.log(`      skipped: there is no ${STORIES_FOLDER} (set LOAM_SHARED)`)
      this.skip()
    }
    const { config, tokenizer, weights: pretrained } = loadBaseModel(STORIES_FOLDER)
    const generator = await createGenerator({ config })
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
