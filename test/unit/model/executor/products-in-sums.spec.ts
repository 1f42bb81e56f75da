import assert from 'node:assert/strict'
import { productsInSums } from '../../../../src/model/executor/onnx/products-in-sums.ts'
import {
  add,
  GraphBuilder as Builder,
  type GraphBuilder,
  type GraphNode,
  matMul
} from '../../../../src/model/graph/index.ts'
import { createOnnxRuntimeExecutor } from '../../../../src/model/index.ts'
import { assertClose } from '../close.ts'

const sumsIn = (builder: GraphBuilder, outputs: Record<string, GraphNode>): number =>
  productsInSums(builder.build(outputs)).size

function matrices() {
  const builder = new Builder()
  const [a, b] = [builder.input('a', [2, 2]), builder.input('b', [2, 2])]
  return { builder, a, b, product: matMul(a, b, { transposeB: true, alpha: 2 }) }
}

describe('products in sums', () => {
  it('are fused into a sum that is their only reader, on either side, also with a bias', async () => {
    const { builder, a, b, product } = matrices()
    const bias = builder.input('bias', [2])
    const outputs = { left: add(product, a), chain: add(add(matMul(b, a), bias), matMul(b, b)) }
    assert.equal(sumsIn(builder, outputs), 3)
    const compiled = await createOnnxRuntimeExecutor().compile(builder.build(outputs))
    const results = await compiled.run(
      new Map([
        ['a', Float32Array.of(1, 2, 3, 4)],
        ['b', Float32Array.of(1, 0, -1, 1)],
        ['bias', Float32Array.of(10, 20)]
      ])
    )
    assertClose(results.get('left')!, [3, 4, 9, 6], 1e-6, '2 a bᵀ + a')
    assertClose(results.get('chain')!, [12, 22, 10, 23], 1e-6, 'b a + bias + b b')
    await compiled.dispose()
  })

  it('are not fused if others read them or the sum is larger', () => {
    const { builder, a, product } = matrices()
    assert.equal(sumsIn(builder, { sum: add(product, a), product }), 0)
    const wide = builder.input('wide', [3, 2, 2])
    assert.equal(sumsIn(builder, { sum: add(product, wide) }), 0)
    assert.equal(sumsIn(builder, { sum: add(matMul(wide, a), wide) }), 0)
  })
})
