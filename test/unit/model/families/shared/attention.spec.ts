import assert from 'node:assert/strict'
import { causalAttention } from '../../../../../src/model/families/shared/attention.ts'
import { createSeededRandom } from '../../../../../src/model/index.ts'
import { assertClose } from '../../close.ts'
import { evaluateWithGradients } from '../../graph/evaluate-graph.ts'

const [HEADS, GROUP, SIZE] = [2, 2, 4]

/** Attention in float64, a query at a time. */
function attention(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  length: number,
  window: number
): Float64Array {
  const y = new Float64Array(HEADS * GROUP * length * SIZE)
  for (let row = 0; row < HEADS * GROUP * length; row++) {
    const head = Math.floor(row / (GROUP * length))
    const position = row % length
    const scores: number[] = []
    const first = Math.max(0, position - window + 1)
    for (let key = first; key <= position; key++) {
      let score = 0
      for (let i = 0; i < SIZE; i++) score += q[row * SIZE + i]! * k[(head * length + key) * SIZE + i]!
      scores.push(Math.exp(score / Math.sqrt(SIZE)))
    }
    const total = scores.reduce((sum, score) => sum + score, 0)
    for (const [offset, score] of scores.entries()) {
      const key = first + offset
      for (let i = 0; i < SIZE; i++) {
        y[row * SIZE + i] = y[row * SIZE + i]! + (score / total) * v[(head * length + key) * SIZE + i]!
      }
    }
  }
  return y
}

describe('causal attention', () => {
  // Below, at and above the length of a block of queries, and with a short last block.
  for (const [length, window] of [
    [5, Infinity],
    [128, Infinity],
    [256, Infinity],
    [300, Infinity],
    [5, 2],
    [300, 100],
    [300, 129]
  ] as const) {
    it(`${length} positions, window ${window}: value and gradient match the formula`, async () => {
      const random = createSeededRandom(length)
      const shapes = [
        [1, HEADS, GROUP, length, SIZE],
        [1, HEADS, length, SIZE],
        [1, HEADS, length, SIZE]
      ]
      const draw = (count: number): Float32Array =>
        Float32Array.from({ length: count }, () => random.normal())
      const values = [
        draw(HEADS * GROUP * length * SIZE),
        draw(HEADS * length * SIZE),
        draw(HEADS * length * SIZE)
      ]
      const [q, k, v] = values as [Float32Array, Float32Array, Float32Array]
      const { value, gradients, weights } = await evaluateWithGradients(shapes, values, (q, k, v) =>
        causalAttention(q!, k!, v!, { window })
      )
      assertClose(value, attention(q, k, v, length, window), 1e-5, 'value')
      // The slope along each input's own gradient is the square of its length.
      for (const [input, gradient] of gradients.entries()) {
        const square = gradient.reduce((sum, element) => sum + element * element, 0)
        const lossAt = (shift: number): number => {
          const [q2, k2, v2] = values.map((data, index) =>
            Float64Array.from(data, (x, i) =>
              index === input ? x + (shift * gradient[i]!) / Math.sqrt(square) : x
            )
          ) as [Float64Array, Float64Array, Float64Array]
          return attention(q2, k2, v2, length, window).reduce(
            (sum, element, i) => sum + element * weights[i]!,
            0
          )
        }
        const slope = (lossAt(1e-3) - lossAt(-1e-3)) / 2e-3
        assertClose([Math.sqrt(square)], [slope], 1e-5, `gradient of input ${input}`)
        assert.ok(slope > 0.1)
      }
    })
  }
})
