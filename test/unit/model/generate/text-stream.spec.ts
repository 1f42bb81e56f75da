import assert from 'node:assert/strict'
import {
  createGenerator,
  createTextTokenizer,
  initialiseLlama,
  streamText,
  type TextStreamEnd,
  type TextStreamOptions
} from '../../../../src/model/index.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

describe('text stream', () => {
  // As many tokens as the tokenizer has, so that every drawn token has a text.
  const config = { ...TINY_CONFIG, vocabularySize: 12 }
  const tokenizer = createTextTokenizer(BYTE_LEVEL_TOKENIZER, BYTE_LEVEL_CONFIG)
  const weights = initialiseLlama(config, 5)
  const run = { tokenizer, weights, ids: [0, 10], maxTokens: 24, seed: 3 }

  async function collect(
    options: Partial<TextStreamOptions> = {}
  ): Promise<TextStreamEnd & { pieces: string[] }> {
    const generator = await createGenerator({ config })
    const stream = streamText(generator, { ...run, ...options })
    const pieces: string[] = []
    for (;;) {
      const { done, value } = await stream.next()
      if (done) {
        await generator.dispose()
        return { ...value, pieces }
      }
      pieces.push(value)
    }
  }

  it('streams pieces that join to the decoded text', async () => {
    const generator = await createGenerator({ config })
    const ids = await generator.generate(run)
    await generator.dispose()
    const { pieces, reason, tokens } = await collect()
    const before = tokenizer.decode(run.ids)
    assert.equal(before + pieces.join(''), tokenizer.decode([...run.ids, ...ids]))
    assert(pieces.length > 5)
    assert.deepEqual([reason, tokens], ['length', 24])
  })

  it('ends before a stop string, and generates no further token', async () => {
    const whole = (await collect()).pieces.join('')
    const stop = whole.slice(8, 11)
    const { pieces, reason, tokens } = await collect({ stop: ['never', stop] })
    assert.equal(pieces.join(''), whole.slice(0, whole.indexOf(stop)))
    assert.equal(reason, 'stop')
    assert(tokens < 24)
  })
})
