import assert from 'node:assert/strict'
import { loadTfjs } from '../../../../src/model/executor/tfjs/load-tfjs.ts'
import { add, expand, GraphBuilder, matMul, multiply, sumAll } from '../../../../src/model/graph/index.ts'
import { createTfjsExecutor } from '../../../../src/model/index.ts'

describe('the tfjs executor', () => {
  for (const device of ['wasm', 'cpu'] as const) {
    it(`leaks no tensor on ${device}, even when a run fails`, async () => {
      const { tf } = await loadTfjs(device)
      const before = tf.memory().numTensors
      const builder = new GraphBuilder()
      const x = builder.input('x', [3, 3])
      const product = matMul(x, builder.constant(new Float32Array(9).fill(2), [3, 3]), { transposeA: true })
      const y = sumAll(multiply(add(product, x), product))
      const compiled = await createTfjsExecutor({ device }).compile(builder.build({ y, product, x }))
      const held = tf.memory().numTensors
      assert.ok(held > before, 'constants are held')
      const feeds = new Map([['x', new Float32Array(9).fill(1)]])
      assert.equal((await compiled.run(feeds)).get('y')![0], 9 * (6 + 1) * 6)
      assert.equal(tf.memory().numTensors, held)
      await assert.rejects(compiled.run(new Map()), /input x was not fed/)
      assert.equal(tf.memory().numTensors, held)
      await compiled.dispose()
      assert.equal(tf.memory().numTensors, before)
    })
  }

  it('keeps only the values that are still needed', async () => {
    const { tf } = await loadTfjs('cpu')
    const builder = new GraphBuilder()
    let chain = expand(builder.input('x', [1]), [100_000])
    for (let link = 0; link < 50; link++) chain = add(chain, builder.scalar(link))
    const compiled = await createTfjsExecutor({ device: 'cpu' }).compile(builder.build({ y: sumAll(chain) }))
    const { peakBytes } = await tf.profile(async () => {
      await compiled.run(new Map([['x', Float32Array.of(1)]]))
    })
    await compiled.dispose()
    // A link, the one before it, and the temporaries of an operator.
    assert.ok(peakBytes < 4 * 400_000, `${peakBytes} bytes`)
  })

  it('runs two graphs on two backends at once', async () => {
    const [wasm, cpu] = await Promise.all(
      (['wasm', 'cpu'] as const).map((device) => {
        const builder = new GraphBuilder()
        const x = builder.input('x', [2, 2])
        return createTfjsExecutor({ device }).compile(builder.build({ y: matMul(x, x) }))
      })
    )
    const feeds = new Map([['x', Float32Array.of(1, 2, 3, 4)]])
    const found = await Promise.all([wasm!.run(feeds), cpu!.run(feeds), wasm!.run(feeds), cpu!.run(feeds)])
    for (const outputs of found) assert.deepEqual([...outputs.get('y')!], [7, 10, 15, 22])
  })
})
