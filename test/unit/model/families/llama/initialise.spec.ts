import assert from 'node:assert/strict'
import { initialiseLlama, parameterShapes } from '../../../../../src/model/index.ts'
import { TINY_CONFIG } from '../../tiny-llama.ts'

describe('initial weights', () => {
  const config = { ...TINY_CONFIG, hiddenSize: 64, intermediateSize: 128, layers: 8, attentionBias: true }
  const weights = initialiseLlama(config, 1)
  const deviation = (name: string): number => {
    const { data } = weights.get(name)!
    return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length)
  }

  it('depend on the config and the seed', () => {
    assert.deepEqual(new Map([...weights].map(([name, { shape }]) => [name, shape])), parameterShapes(config))
    assert.deepEqual(initialiseLlama(config, 1), weights)
    assert.notDeepEqual(initialiseLlama(config, 2), weights)
  })

  it('have the standard deviation of their role', () => {
    const near = (name: string, expected: number): void =>
      assert.ok(
        Math.abs(deviation(`model.layers.3.${name}`) / expected - 1) < 0.1,
        `${name}: ${deviation(`model.layers.3.${name}`)}`
      )
    near('self_attn.q_proj.weight', 0.02)
    near('mlp.up_proj.weight', 0.02)
    near('self_attn.o_proj.weight', 0.02 / 4)
    near('mlp.down_proj.weight', 0.02 / 4)
    assert.ok(weights.get('model.layers.3.input_layernorm.weight')!.data.every((value) => value === 1))
    assert.ok(weights.get('model.layers.3.self_attn.q_proj.bias')!.data.every((value) => value === 0))
  })
})
