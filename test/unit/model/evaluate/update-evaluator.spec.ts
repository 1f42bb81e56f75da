import assert from 'node:assert/strict'
import type { LoraAdapter } from '../../../../src/adapter/pair/lora-adapter.ts'
import {
  createEvaluator,
  createOnnxRuntimeExecutor,
  createSeededRandom,
  createUpdateEvaluator,
  holdWeights,
  initialiseLlama,
  initialiseLora
} from '../../../../src/model/index.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'

const MODULES = ['model.layers.0.self_attn.q_proj', 'model.layers.0.self_attn.v_proj']
const weights = initialiseLlama(TINY_CONFIG, 3)
const executor = createOnnxRuntimeExecutor({ threads: 1 })
const random = createSeededRandom(1)
const idsOf = (length: number) =>
  Array.from({ length }, () => random.nextUint32() % TINY_CONFIG.vocabularySize)

/** An update of one module that changes the loss visibly. */
function updateOf(rank: number, module = MODULES[0]!): LoraAdapter {
  const pairs = initialiseLora(TINY_CONFIG, { rank, alpha: 40 * rank, targetModules: [module] }, rank)
  for (const { B } of pairs) for (const index of B.keys()) B[index] = random.normal()
  return { pairs }
}

describe('the evaluator of updates', () => {
  const make = (baseFormat: 'f32' | 'int8', rsLora = false) =>
    createUpdateEvaluator({ config: TINY_CONFIG, baseFormat, modules: MODULES, rsLora, executor })
  const check = () => undefined

  it('gives the loss of the merged weights, for updates of any rank in turn', async () => {
    const ids = idsOf(12)
    const strong = [undefined, updateOf(3), updateOf(1, MODULES[1]), updateOf(6), undefined]
    const reference = await createEvaluator({ config: TINY_CONFIG, context: ids.length })
    for (const rsLora of [false, true]) {
      const evaluator = make('f32', rsLora)
      const held = holdWeights(TINY_CONFIG, weights, 'f32')
      const losses: number[] = []
      for (const update of strong) {
        const merged = await reference.score({ weights, ids, rsLora, ...(update && { adapter: update }) })
        const found = await evaluator.loss({ weights: held, ids, update, check })
        assert.ok(Math.abs(found - merged.nats) < 2e-5, `${found} for ${merged.nats}`)
        losses.push(found)
      }
      for (const index of [1, 2, 3])
        assert.ok(Math.abs(losses[index]! - losses[0]!) > 2e-4, `update ${index} shows: ${losses}`)
      await evaluator.dispose()
    }
    await reference.dispose()
  })

  it('scores every token but the first once, over any number of rows', async () => {
    const evaluator = make('f32')
    const held = holdWeights(TINY_CONFIG, weights, 'f32')
    const row = Math.min(128, TINY_CONFIG.maxPositions)
    const ids = idsOf(row * 5 + 3)
    const whole = await evaluator.loss({ weights: held, ids, check })
    let sum = 0
    for (let start = 0; start < ids.length - 1; start += row) {
      const part = ids.slice(start, start + row + 1)
      sum += (part.length - 1) * (await evaluator.loss({ weights: held, ids: part, check }))
    }
    assert.ok(Math.abs(whole - sum / (ids.length - 1)) < 1e-5)
    await evaluator.dispose()
  })

  it('reads weights that are held in eight bits', async () => {
    const ids = idsOf(10)
    const [plain, eight] = [make('f32'), make('int8')]
    const update = updateOf(2)
    const exact = await plain.loss({ weights: holdWeights(TINY_CONFIG, weights, 'f32'), ids, update, check })
    const near = await eight.loss({ weights: holdWeights(TINY_CONFIG, weights, 'int8'), ids, update, check })
    assert.ok(Math.abs(exact - near) < 0.1, `${exact} and ${near}`)
    await Promise.all([plain.dispose(), eight.dispose()])
  })

  it('stops on request, and refuses texts that it cannot score', async () => {
    const evaluator = make('f32')
    const held = holdWeights(TINY_CONFIG, weights, 'f32')
    const stop = () => {
      throw new Error('enough')
    }
    await assert.rejects(evaluator.loss({ weights: held, ids: idsOf(9), check: stop }), /enough/)
    await assert.rejects(evaluator.loss({ weights: held, ids: [1], check }), /no token to score/)
    const other = updateOf(1, 'model.layers.1.self_attn.q_proj')
    await assert.rejects(
      evaluator.loss({ weights: held, ids: idsOf(9), update: other, check }),
      /an update must not adapt model\.layers\.1/
    )
    await evaluator.dispose()
  })
})
