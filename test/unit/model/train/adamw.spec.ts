import assert from 'node:assert/strict'
import { clippingFactor, createAdamW, globalNorm } from '../../../../src/model/index.ts'
import { assertClose } from '../close.ts'

describe('AdamW', () => {
  it('follows the formula of the paper in float64, over several steps', () => {
    const settings = { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.1 }
    const start = [0.5, -1, 2, 0.25]
    const data = Float32Array.from(start)
    const optimizer = createAdamW(new Map([['w', { shape: [2, 2], data }]]), settings)
    const expected = [...start]
    const m = [0, 0, 0, 0]
    const v = [0, 0, 0, 0]
    for (let step = 1; step <= 5; step++) {
      const gradient = start.map((value, index) => Math.fround(Math.sin(step + index) + value))
      optimizer.update(new Map([['w', Float32Array.from(gradient)]]), {
        learningRate: 0.01,
        gradientScale: 0.5
      })
      for (const [index, raw] of gradient.entries()) {
        const g = raw * 0.5
        m[index] = 0.8 * m[index]! + 0.2 * g
        v[index] = 0.95 * v[index]! + 0.05 * g * g
        const mHat = m[index]! / (1 - 0.8 ** step)
        const vHat = v[index]! / (1 - 0.95 ** step)
        expected[index] = expected[index]! - 0.01 * (mHat / (Math.sqrt(vHat) + 1e-3) + 0.1 * expected[index]!)
      }
    }
    assert.equal(optimizer.step, 5)
    assertClose(data, expected, 1e-6, 'parameters')
  })

  it('does not decay vectors', () => {
    const matrix = Float32Array.of(1)
    const vector = Float32Array.of(1)
    const parameters = new Map([
      ['matrix', { shape: [1, 1], data: matrix }],
      ['vector', { shape: [1], data: vector }]
    ])
    const zero = new Map([...parameters.keys()].map((name) => [name, new Float32Array(1)]))
    createAdamW(parameters, { weightDecay: 0.5 }).update(zero, { learningRate: 0.5 })
    assert.deepEqual([matrix[0], vector[0]], [0.75, 1])
  })

  it('refuses a step without a gradient for a parameter', () => {
    const optimizer = createAdamW(new Map([['w', { shape: [1], data: new Float32Array(1) }]]))
    assert.throws(() => optimizer.update(new Map(), { learningRate: 1 }), /no gradient for w/)
  })
})

describe('gradient clipping', () => {
  it('uses the norm of all gradients together, and scales down only what exceeds the limit', () => {
    const gradients = new Map([
      ['a', Float32Array.of(3)],
      ['b', Float32Array.of(0, -4)]
    ])
    assert.equal(globalNorm(gradients), 5)
    assert.equal(clippingFactor(5, 1), 0.2)
    assert.equal(clippingFactor(0.5, 1), 1)
    assert.equal(clippingFactor(5, Number.POSITIVE_INFINITY), 1)
  })
})
