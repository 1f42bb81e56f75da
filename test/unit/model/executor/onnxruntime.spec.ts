import assert from 'node:assert/strict'
import { createOnnxRuntimeExecutor } from '../../../../src/model/executor/index.ts'
import { add, GraphBuilder, matMul, multiply } from '../../../../src/model/graph/index.ts'
import { createSeededRandom } from '../../../../src/model/index.ts'

describe('onnxruntime executor', () => {
  it('reports an input that is missing, too short or of the wrong type', async () => {
    const builder = new GraphBuilder()
    const graph = builder.build({ y: add(builder.input('a', [2, 2]), builder.input('b', [2, 2])) })
    const compiled = await createOnnxRuntimeExecutor().compile(graph)
    const a = new Float32Array(4)
    await assert.rejects(compiled.run(new Map([['a', a]])), /input b was not fed/)
    await assert.rejects(
      compiled.run(
        new Map([
          ['a', a],
          ['b', new Float32Array(3)]
        ])
      ),
      /input b has shape \[2,2\], but 3 elements/
    )
    await assert.rejects(
      compiled.run(
        new Map<string, Float32Array | Int32Array>([
          ['a', a],
          ['b', new Int32Array(4)]
        ])
      ),
      /input b is float32, but a Int32Array/
    )
    await compiled.dispose()
  })

  it('returns an input, a constant, and one value under two names as outputs', async () => {
    const builder = new GraphBuilder()
    const x = builder.input('x', [2])
    const y = multiply(x, x)
    const constant = builder.constant(Float32Array.of(5, 6), [2])
    const compiled = await createOnnxRuntimeExecutor().compile(builder.build({ x, y, again: y, constant }))
    const outputs = await compiled.run(new Map([['x', Float32Array.of(2, 3)]]))
    assert.deepEqual(
      [...outputs].map(([name, values]) => [name, ...values]),
      [
        ['x', 2, 3],
        ['y', 4, 9],
        ['again', 4, 9],
        ['constant', 5, 6]
      ]
    )
    await compiled.dispose()
  })

  it('gives the same bits with one and with two threads', async () => {
    const random = createSeededRandom(5)
    const values = (): Float32Array => Float32Array.from({ length: 300 * 300 }, () => random.normal())
    const feeds = new Map([
      ['a', values()],
      ['b', values()]
    ])
    const results: Float32Array[] = []
    for (const threads of [1, 2]) {
      const builder = new GraphBuilder()
      const product = matMul(builder.input('a', [300, 300]), builder.input('b', [300, 300]), {
        transposeB: true
      })
      const compiled = await createOnnxRuntimeExecutor({ threads }).compile(builder.build({ product }))
      results.push((await compiled.run(feeds)).get('product')!.slice())
      await compiled.dispose()
    }
    assert.deepEqual(results[0], results[1])
  })

  it('refuses an invalid number of threads', () => {
    assert.throws(() => createOnnxRuntimeExecutor({ threads: 0 }), /threads must be/)
  })
})
