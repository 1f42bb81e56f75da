import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSeededRandom } from '../../../src/data/order/seeded-random.ts'
import { loadBaseModel } from '../../../src/model/index.ts'
import { ggufModel } from '../../../src/node/export/gguf-model.ts'
import { packageRoot } from '../../../src/package-root.ts'
import { openLlamaCppModel, readVocabulary } from '../../../src/prada/models/index.ts'
import { ggufVocabulary } from '../../../src/prada/models/llama-cpp/gguf-vocabulary.ts'
import { measureBatchError } from '../../../src/prada/models/llama-cpp/measure-batch-error.ts'
import type { LlamaSequence } from '../../../src/prada/models/llama-cpp/node-llama-cpp.ts'
import { createSequencePool } from '../../../src/prada/models/llama-cpp/sequence-pool.ts'
import { randomTable } from './table-model.ts'

const SIZE = 12

/** A sequence of llama.cpp's cache: it keeps its tokens, and evaluation continues from there. */
function tableSequence(
  table: ReturnType<typeof randomTable>,
  error = 0
): LlamaSequence & { readonly passes: number[] } {
  const held: number[] = []
  const passes: number[] = []
  return {
    passes,
    async controlledEvaluate(input) {
      passes.push(input.length)
      return input.map((token) => {
        held.push(typeof token === 'number' ? token : token[0])
        if (typeof token === 'number') return undefined
        const row = [...table(held)].map((value, id): [number, number] => [
          id,
          value + error * (input.length % 2) * id
        ])
        return { next: { logits: new Map(row.sort((a, b) => b[1] - a[1])) } }
      })
    },
    async eraseContextTokenRanges([range]) {
      held.splice(range!.start, range!.end - range!.start)
    },
    async clearHistory() {
      held.length = 0
    }
  }
}

describe('texts sharing sequences of llama.cpp', () => {
  const table = randomTable(3, SIZE, 2)

  it('have the logits of their own prefixes, although there are fewer sequences', async () => {
    const pool = createSequencePool([tableSequence(table), tableSequence(table)], SIZE, 100)
    const texts = Array.from({ length: 3 }, () => ({ text: pool.start(), ids: [] as number[] }))
    const random = createSeededRandom(1)
    for (let step = 0; step < 200; step++) {
      const { text, ids } = texts[random.nextUint32() % 3]!
      if (ids.length > 20 || random.uniform() < 0.2) {
        ids.length = random.nextUint32() % (ids.length + 1)
        text.truncate(ids.length)
      }
      const added = Array.from({ length: 1 + (random.nextUint32() % 4) }, () => random.nextUint32() % SIZE)
      const count = 1 + (random.nextUint32() % added.length)
      const rows = await text.appendRows(added, count)
      ids.push(...added)
      assert.equal(text.length, ids.length)
      for (const [index, row] of rows.entries())
        assert.deepEqual(row, table(ids.slice(0, ids.length - count + 1 + index)))
    }
  })

  it('compute only what a sequence does not hold', async () => {
    const sequence = tableSequence(table)
    const text = createSequencePool([sequence], SIZE, 100).start()
    await text.appendRows([1, 2, 3], 1)
    text.truncate(2)
    await text.appendRows([4, 5], 2)
    assert.deepEqual(sequence.passes, [3, 2])
  })

  it('are refused beyond the context, where llama.cpp would drop the beginning', async () => {
    const text = createSequencePool([tableSequence(table)], SIZE, 3).start()
    await assert.rejects(text.appendRows([1, 2, 3, 4], 1), /a text of 4 tokens, at most 3/)
    assert.equal((await text.appendRows([1, 2, 3], 1)).length, 1)
  })

  it('measure the difference between batches of different lengths', async () => {
    const measured = (error: number) =>
      measureBatchError(createSequencePool([tableSequence(table, error)], SIZE, 100).start, SIZE, 100)
    assert.equal(await measured(0), 0)
    const found = await measured(1e-3)
    // Twice what was seen: at most eleven times the error, as the ids do.
    assert.ok(found > 1e-3 && found < 30e-3, `${found}`)
  })
})

describe('a GGUF file', () => {
  it('has the vocabulary of the model it was converted from', async () => {
    const folder = join(packageRoot(), 'models/loam-base-1m')
    const base = loadBaseModel(folder)
    const { metadata } = await ggufModel(base, base.weights, 'base', 'F32')
    const of = (key: string) =>
      (metadata as ReadonlyMap<string, { value: unknown }>).get(`tokenizer.ggml.${key}`)?.value
    const found = ggufVocabulary({
      model: of('model'),
      tokens: of('tokens'),
      token_type: of('token_type'),
      bos_token_id: of('bos_token_id'),
      eos_token_id: of('eos_token_id')
    })
    const json = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
    assert.deepEqual(found, readVocabulary(json, base.tokenizer))
  })

  it('is refused with a tokenizer whose tokens have no known bytes', () => {
    assert.throws(
      () => ggufVocabulary({ model: 'bert', tokens: [] }),
      /of the kind bert: only gpt2 and llama are known/
    )
    assert.throws(() => ggufVocabulary(undefined), /the GGUF file's tokenizer/)
  })

  it('needs node-llama-cpp, and says how to install it', () =>
    assert.rejects(
      openLlamaCppModel('model.gguf', { packageFolder: '/nowhere' }),
      /cannot be loaded: .*Install it: npm install .*--ignore-scripts node-llama-cpp@/
    ))
})
