import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodingMask } from '../../../../src/model/generate/decoder.ts'
import {
  ContextLengthError,
  createDecoder,
  createSeededRandom,
  initialiseLlama,
  initialiseModel,
  type LlamaConfig,
  type ModelConfig
} from '../../../../src/model/index.ts'
import { assertClose } from '../close.ts'
import { TINY_GPT2 } from '../tiny-gpt2.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'
import { wholeTextLogits } from './whole-text.ts'

/** Enough for caches that have to grow twice. */
const CONFIG: LlamaConfig = { ...TINY_CONFIG, maxPositions: 400, attentionBias: true }

describe('decoder', () => {
  const random = createSeededRandom(5)
  const ids = Array.from({ length: 400 }, () => random.nextUint32() % CONFIG.vocabularySize)
  const weights = initialiseLlama(CONFIG, 3)

  it('gives the logits of a pass over the whole text, however the text is divided', async () => {
    const decoder = createDecoder({ config: CONFIG })
    // Alone and together, below and above the largest run, across the block boundaries of the cache.
    for (const parts of [
      [1, 1, 1],
      [5, 1, 1],
      [63, 1, 1, 4],
      [300, 1, 20, 1],
      [256, 1]
    ]) {
      const text = decoder.start(weights)
      let end = 0
      for (const part of parts) {
        const logits = (await text.append(ids.slice(end, end + part))).slice()
        end += part
        assert.equal(text.length, end)
        assertClose(
          logits,
          await wholeTextLogits({ config: CONFIG, weights }, ids.slice(0, end)),
          1e-5,
          `${parts}`
        )
      }
    }
    await decoder.dispose()
  })

  const families: Record<string, ModelConfig> = {
    'GPT-2, with learned positions': { ...TINY_GPT2, maxPositions: 75 },
    'Mistral, with a window': { ...CONFIG, maxPositions: 75, windows: [6, 6] },
    'Qwen, with a window in some layers': { ...CONFIG, maxPositions: 75, windows: [null, 70] }
  }
  for (const [name, config] of Object.entries(families)) {
    it(`${name}: gives the logits of a pass over the whole text`, async () => {
      const other = initialiseModel(config, 6)
      const decoder = createDecoder({ config })
      for (const parts of [
        [3, 1, 1, 9, 1],
        [65, 1, 1, 8]
      ]) {
        const text = decoder.start(other)
        let end = 0
        for (const part of parts) {
          const logits = (await text.append(ids.slice(end, end + part))).slice()
          end += part
          const whole = await wholeTextLogits({ config, weights: other }, ids.slice(0, end))
          assertClose(logits, whole, 1e-5, `${parts} at ${end}`)
        }
      }
      await decoder.dispose()
    })
  }

  it('rewinds to an earlier position', async () => {
    const decoder = createDecoder({ config: CONFIG })
    const text = decoder.start(weights)
    await text.append(ids.slice(0, 70))
    text.truncate(40)
    assert.throws(() => text.truncate(41), RangeError)
    const logits = (await text.append(ids.slice(100, 104))).slice()
    const same = [...ids.slice(0, 40), ...ids.slice(100, 104)]
    assertClose(logits, await wholeTextLogits({ config: CONFIG, weights }, same), 1e-5, 'after going back')
    await decoder.dispose()
  })

  it('keeps interleaved texts apart', async () => {
    const decoder = createDecoder({ config: CONFIG })
    const [one, two] = [decoder.start(weights), decoder.start(weights)]
    await Promise.all([one.append(ids.slice(0, 9)), two.append(ids.slice(20, 24))])
    const logits = (await one.append(ids.slice(9, 10))).slice()
    assertClose(
      logits,
      await wholeTextLogits({ config: CONFIG, weights }, ids.slice(0, 10)),
      1e-5,
      'the first text'
    )
    assert.equal(two.length, 4)
    await decoder.dispose()
  })

  it('refuses input beyond its context, and keeps its state', async () => {
    const decoder = createDecoder({ config: CONFIG, context: 12 })
    const text = decoder.start(weights)
    await text.append(ids.slice(0, 10))
    await assert.rejects(text.append(ids.slice(0, 3)), ContextLengthError)
    assert.equal(text.length, 10)
    await text.append(ids.slice(0, 2))
    await assert.rejects(text.append([]), /no token/)
    await assert.rejects(text.append([CONFIG.vocabularySize]), /outside the vocabulary/)
    await decoder.dispose()
    assert.throws(() => createDecoder({ config: CONFIG, context: 401 }), /exceeds the model's 400 positions/)
  })

  it('masks by position: held tokens, itself and those before it, within the window', () => {
    const shapes = fc.record({
      length: fc.integer({ min: 1, max: 6 }),
      capacity: fc.integer({ min: 0, max: 9 })
    })
    fc.assert(
      fc.property(shapes, fc.nat(9), fc.integer({ min: 1, max: 12 }), (shape, share, window) => {
        const held = Math.min(share, shape.capacity)
        const mask = decodingMask(shape, held, window)
        const keys = shape.capacity + shape.length
        for (const [place, value] of mask.entries()) {
          const row = Math.floor(place / keys)
          const key = place % keys
          const position = key < shape.capacity ? key : held + key - shape.capacity
          const exists = key >= shape.capacity || key < held
          const seen = exists && position <= held + row && position > held + row - window
          assert.equal(value === 0, seen)
        }
      })
    )
  })
})
