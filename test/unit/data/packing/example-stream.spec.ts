import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  createExampleStream,
  PACKINGS,
  type Packing,
  type TokenizedExample
} from '../../../../src/data/index.ts'

/** Examples whose tokens are all different, so that a batch tells which it holds. */
const corpora = fc
  .array(fc.record({ length: fc.integer({ min: 1, max: 20 }), prompt: fc.nat(3) }), {
    minLength: 1,
    maxLength: 15
  })
  .map((sizes) => {
    let next = 0
    return sizes.map(
      ({ length, prompt }): TokenizedExample => ({
        ids: Int32Array.from({ length }, () => next++),
        weights: Uint8Array.from({ length }, (_, index) => (index > prompt ? 1 : 0))
      })
    )
  })
  .filter((examples) => examples.some(({ weights }) => weights.includes(1)))

const settings = fc.record({
  batchSize: fc.integer({ min: 1, max: 4 }),
  sequenceLength: fc.integer({ min: 1, max: 12 }),
  seed: fc.integer()
})

describe('data/example-stream', () => {
  for (const packing of PACKINGS as readonly Packing[]) {
    it(`${packing}: every training token is a target exactly once per epoch, after its own context`, () => {
      fc.assert(
        fc.property(corpora, settings, (examples, options) => {
          const stream = createExampleStream({ examples, packing, ...options, batchSize: 1 })
          const { sequenceLength } = options
          const targets: number[] = []
          for (let row = 0; row < stream.rows; row++) {
            const batch = stream.nextBatch(row)
            for (let place = 0; place < sequenceLength; place++) {
              if (batch.targetWeights[place] === 0) continue
              const target = batch.targetIds[place]!
              targets.push(target)
              // Within an example the input is the token before; across, the last of any other.
              const example = examples.find(({ ids }) => ids.includes(target))!
              const within = example.ids.indexOf(target)
              if (within > 0) assert.equal(batch.inputIds[place], target - 1)
              else assert.equal(packing, 'across')
              if (batch.segments === undefined) continue
              const segment = batch.segments[place]
              for (let other = 0; other < sequenceLength; other++)
                if (batch.segments[other] === segment) assert(example.ids.includes(batch.inputIds[other]!))
            }
          }
          const wanted = examples.flatMap(({ ids, weights }) =>
            [...ids].filter((_, index) => weights[index] === 1)
          )
          const learned = targets.filter((id) => wanted.includes(id)).toSorted((a, b) => a - b)
          assert.deepEqual(learned, wanted)
          assert.equal(stream.targets, targets.length)
          if (packing !== 'across') assert.equal(targets.length, wanted.length)
        })
      )
    })
  }

  it('returns batch n regardless of earlier calls, in another order for every seed and epoch', () => {
    fc.assert(
      fc.property(corpora, settings, fc.nat(20), (examples, options, index) => {
        const fresh = createExampleStream({ examples, packing: 'isolated', ...options })
        const used = createExampleStream({ examples, packing: 'isolated', ...options })
        for (let before = 0; before < 5; before++) used.nextBatch(before * 3)
        assert.deepEqual(used.nextBatch(index), fresh.nextBatch(index))
      })
    )
    const examples = Array.from({ length: 50 }, (_, index) => ({
      ids: Int32Array.of(2 * index, 2 * index + 1),
      weights: Uint8Array.of(0, 1)
    }))
    const epoch = (seed: number, number: number): number[] => {
      const stream = createExampleStream({
        examples,
        packing: 'none',
        batchSize: 50,
        sequenceLength: 1,
        seed
      })
      return [...stream.nextBatch(number).targetIds]
    }
    assert.notDeepEqual(epoch(1, 0), epoch(1, 1))
    assert.notDeepEqual(epoch(1, 0), epoch(2, 0))
  })

  it('packs short examples together', () => {
    const examples = Array.from({ length: 8 }, (_, index) => ({
      ids: Int32Array.from({ length: 4 }, (_, place) => index * 4 + place),
      weights: Uint8Array.of(0, 1, 1, 1)
    }))
    const options = { examples, batchSize: 1, sequenceLength: 7, seed: 1 }
    assert.equal(createExampleStream({ ...options, packing: 'none' }).rows, 8)
    assert.equal(createExampleStream({ ...options, packing: 'isolated' }).rows, 4)
    assert.equal(createExampleStream({ ...options, packing: 'across' }).rows, 5)
  })

  it('refuses examples without a training target', () => {
    const options = { packing: 'none', batchSize: 1, sequenceLength: 4, seed: 1 } as const
    const lone = { ids: Int32Array.of(1), weights: Uint8Array.of(0) }
    assert.throws(() => createExampleStream({ ...options, examples: [lone] }), /nothing to learn/)
    assert.throws(
      () => createExampleStream({ ...options, examples: [], sequenceLength: 0 }),
      /sequenceLength must be a positive integer, got 0/
    )
  })
})
