import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createBatchStream, type TextTokenizer, type TrainingBatch } from '../../../../src/data/index.ts'

const BOS = 0

/** One id per character code; realistic enough for packing, which never inspects ids. */
const characters: TextTokenizer = {
  vocabularySize: 1000,
  bosId: BOS,
  encode: (text) => Array.from(text, (character) => character.charCodeAt(0)),
  decode: (ids) => String.fromCharCode(...ids)
}

const corpora = fc.array(fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 1, maxLength: 30 }), {
  minLength: 1,
  maxLength: 8
})
const sizes = {
  batchSize: fc.integer({ min: 1, max: 4 }),
  sequenceLength: fc.integer({ min: 1, max: 9 }),
  seed: fc.nat()
}

/** Scored (input, target) pairs of a batch, row by row. */
function scoredRows({
  batchSize,
  sequenceLength,
  inputIds,
  targetIds,
  targetWeights
}: TrainingBatch): [number, number][][] {
  return Array.from({ length: batchSize }, (_, row) =>
    Array.from({ length: sequenceLength }, (_, place) => row * sequenceLength + place)
      .filter((index) => targetWeights[index] === 1)
      .map((index): [number, number] => [inputIds[index]!, targetIds[index]!])
  )
}

describe('data/packing', () => {
  it('makes every token but the first a target once per epoch, after the token before it', () => {
    fc.assert(
      fc.property(corpora, fc.record(sizes), (documents, { sequenceLength, seed }) => {
        // Batches of one row, so that an epoch is a whole number of steps.
        const stream = createBatchStream({
          documents,
          tokenizer: characters,
          batchSize: 1,
          sequenceLength,
          seed
        })
        assert.equal(stream.tokens, documents.flat().length + documents.length)
        const seen = Array.from({ length: stream.rows }, (_, step) =>
          scoredRows(stream.nextBatch(step))
        ).flat(2)
        assert.equal(seen.length, stream.tokens - 1)
        const expected: [number, number][] = documents.flatMap((document) =>
          document.map((id, index): [number, number] => [index === 0 ? BOS : document[index - 1]!, id])
        )
        const key = ([input, target]: [number, number]): string => `${input}>${target}`
        const inside = seen.filter(([, target]) => target !== BOS).map(key)
        assert.deepEqual(inside.sort(), expected.map(key).sort())
      })
    )
  })

  it('derives a batch from its step alone', () => {
    fc.assert(
      fc.property(corpora, fc.record(sizes), fc.nat(200), (documents, options, step) => {
        const make = () => createBatchStream({ documents, tokenizer: characters, ...options })
        const used = make()
        for (let other = 0; other < 5; other++) used.nextBatch(other * 37)
        assert.deepEqual(used.nextBatch(step), make().nextBatch(step))
      })
    )
  })

  it('visits the rows of each epoch in a different order', () => {
    const documents = [Array.from({ length: 64 }, (_, index) => index + 1)]
    const stream = createBatchStream({
      documents,
      tokenizer: characters,
      batchSize: 16,
      sequenceLength: 4,
      seed: 5
    })
    assert.equal(stream.rows, 16)
    const epoch = (step: number): string[] => scoredRows(stream.nextBatch(step)).map(String)
    assert.notDeepEqual(epoch(0), epoch(1))
    assert.deepEqual(epoch(0).sort(), epoch(1).sort())
  })

  it('encodes texts, and pads the last row with weight 0', () => {
    const stream = createBatchStream({
      documents: ['abc'],
      tokenizer: characters,
      batchSize: 1,
      sequenceLength: 8,
      seed: 1
    })
    assert.deepEqual(scoredRows(stream.nextBatch(0)), [
      [
        [BOS, 97],
        [97, 98],
        [98, 99]
      ]
    ])
    assert.deepEqual([...stream.nextBatch(0).targetWeights], [1, 1, 1, 0, 0, 0, 0, 0])
  })

  it('refuses sizes that are not positive integers, and a corpus without a target', () => {
    const options = { documents: ['abc'], tokenizer: characters, batchSize: 1, sequenceLength: 8, seed: 1 }
    assert.throws(() => createBatchStream({ ...options, batchSize: 0 }), RangeError)
    assert.throws(() => createBatchStream({ ...options, sequenceLength: 1.5 }), RangeError)
    assert.throws(() => createBatchStream({ ...options, documents: [''] }), /at least two tokens/)
  })
})
