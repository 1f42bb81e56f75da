import assert from 'node:assert/strict'
import {
  createDecoder,
  createSeededRandom,
  initialiseModel,
  type ModelConfig
} from '../../../../src/model/index.ts'
import { TINY_GPT2 } from '../tiny-gpt2.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'

const LENGTH = 150

/** Cuts of a text of `LENGTH` tokens into runs. */
const CUTS: readonly (readonly number[])[] = [
  Array.from({ length: LENGTH }, () => 1),
  [40, ...Array.from({ length: LENGTH - 40 }, () => 1)],
  [3, 9, 17, 2, 33, 5, 1, 1, 30, 49],
  [100, 50],
  [LENGTH]
]

describe('repeatable decoding', () => {
  const wide = {
    ...TINY_CONFIG,
    hiddenSize: 96,
    heads: 6,
    keyValueHeads: 3,
    headSize: 16,
    intermediateSize: 200
  }
  const families: Record<string, ModelConfig> = {
    Llama: { ...wide, maxPositions: 300, vocabularySize: 201 },
    'Mistral, with a window': { ...TINY_CONFIG, maxPositions: 300, windows: [6, 40] },
    'GPT-2': { ...TINY_GPT2, maxPositions: 300 }
  }
  for (const [name, config] of Object.entries(families))
    it(`${name}: logits have the same bits however the text is divided into runs`, async () => {
      const random = createSeededRandom(11)
      const ids = Array.from({ length: LENGTH }, () => random.nextUint32() % config.vocabularySize)
      const weights = initialiseModel(config, 4)
      const decoder = createDecoder({ config, repeatable: true })
      const all: Float32Array[][] = []
      for (const cut of CUTS) {
        const text = decoder.start(weights)
        const rows: Float32Array[] = []
        for (const part of cut) {
          const from = text.length
          // Rejected drafts leave no trace.
          if (part < 20) {
            await text.append(ids.slice(0, 3))
            text.truncate(from)
          }
          rows.push(...(await text.appendRows(ids.slice(from, from + part), part)))
        }
        all.push(rows)
      }
      for (const [place, rows] of all.entries()) {
        assert.equal(rows.length, LENGTH)
        for (const [index, row] of rows.entries())
          assert.deepEqual(row, all[0]![index], `cut ${place} at ${index}`)
      }
      await decoder.dispose()
    })

  it('is refused on several threads', () => {
    assert.throws(() => createDecoder({ config: TINY_CONFIG, repeatable: true, threads: 2 }), /one thread/)
  })
})
