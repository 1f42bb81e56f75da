import assert from 'node:assert/strict'
import {
  createChoiceScorer,
  createDecoder,
  createEvaluator,
  createLossEvaluator,
  createOnnxRuntimeExecutor,
  createTextTokenizer,
  initialiseLlama
} from '../../../../src/model/index.ts'
import { randomBatch, TINY_CONFIG } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

describe('finite weights with an overflowing forward pass', () => {
  const weights = new Map(initialiseLlama(TINY_CONFIG, 2))
  for (const name of ['model.layers.1.mlp.down_proj.weight', 'model.layers.1.mlp.up_proj.weight']) {
    const { shape, data } = weights.get(name)!
    weights.set(name, { shape, data: data.map((value) => Math.sign(value) * 3e38) })
  }
  const executor = createOnnxRuntimeExecutor()

  it('give no score of a text', async () => {
    const evaluator = await createEvaluator({ config: TINY_CONFIG, context: 8, executor })
    await assert.rejects(
      evaluator.score({ weights, ids: [1, 2, 3, 4] }),
      /the log-probability of token \d of the window from token 1 on is (NaN|-?Infinity): .*overflow float32/
    )
    await evaluator.dispose()
  })

  it('give no accuracy', async () => {
    const tokenizer = createTextTokenizer(BYTE_LEVEL_TOKENIZER, BYTE_LEVEL_CONFIG)
    const scorer = createChoiceScorer({ config: TINY_CONFIG, tokenizer, executor })
    const questions = [{ context: 'hello', choices: ['he', 'o'], answer: 0, source: 'x:7' }]
    await assert.rejects(scorer.score(questions, weights), /token \d of x:7 is (NaN|-?Infinity)/)
    await scorer.dispose()
  })

  it('give no held-out loss', async () => {
    const evaluator = await createLossEvaluator({
      config: TINY_CONFIG,
      batchSize: 2,
      sequenceLength: 4,
      executor
    })
    const batch = { ...randomBatch(TINY_CONFIG, 2, 4, 1), targetWeights: new Float32Array(8).fill(1) }
    const stream = { rows: 2, targets: 8, nextBatch: () => batch }
    await assert.rejects(evaluator.loss(stream as never, weights), /a target in row 1 is (NaN|-?Infinity)/)
    await evaluator.dispose()
  })

  it('give no next token', async () => {
    const decoder = createDecoder({ config: TINY_CONFIG, executor })
    await assert.rejects(decoder.start(weights).append([1, 2, 3]), /a logit after token 3 is not finite/)
    await decoder.dispose()
  })
})
