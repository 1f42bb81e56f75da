import assert from 'node:assert/strict'
import {
  add,
  cast,
  GraphBuilder,
  gatherRows,
  gradients,
  less,
  matMul,
  multiply,
  reshape,
  sigmoid,
  sumAll,
  transpose,
  withGradient
} from '../../../../src/model/graph/index.ts'

describe('graph builder', () => {
  it('builds equal computations once', () => {
    const builder = new GraphBuilder()
    const x = builder.input('x', [2])
    assert.equal(add(x, builder.scalar(1)), add(x, builder.scalar(1)))
    assert.notEqual(add(x, builder.scalar(1)), add(x, builder.scalar(2)))
    assert.notEqual(builder.scalar(0), builder.scalar(-0))
  })

  it('folds consecutive reshapes and transpositions', () => {
    const builder = new GraphBuilder()
    const x = builder.input('x', [2, 3, 4])
    assert.equal(transpose(transpose(x, [1, 2, 0]), [2, 0, 1]), x)
    assert.equal(transpose(transpose(x, [1, 2, 0]), [1, 0, 2]), transpose(x, [2, 1, 0]))
    assert.equal(reshape(reshape(x, [6, 4]), [2, 3, 4]), x)
  })

  it('omits what no output needs', () => {
    const builder = new GraphBuilder()
    const x = builder.input('x', [2])
    const unused = builder.input('unused', [2])
    sigmoid(unused)
    const graph = builder.build({ y: sigmoid(x) })
    assert.deepEqual([...graph.inputs.keys()], ['x'])
    assert.deepEqual(
      graph.nodes.map(({ operator }) => operator.name),
      ['Input', 'Sigmoid']
    )
  })

  it('refuses incompatible shapes, and names them', () => {
    const builder = new GraphBuilder()
    const a = builder.input('a', [2, 3])
    const b = builder.input('b', [2, 4])
    assert.throws(() => add(a, b), /\[2,3\] and \[2,4\]/)
    assert.throws(() => matMul(a, b), /\[2,3\] and \[2,4\].*3 against 2/)
    assert.throws(() => reshape(a, [5]), /\[2,3\] into \[5\]/)
    assert.throws(() => builder.input('a', [1]), /already has an input named a/)
    assert.throws(() => add(a, new GraphBuilder().input('a', [2, 3])), /another graph/)
  })
})

describe('gradients', () => {
  it('are not built for inputs that no target depends on', () => {
    const builder = new GraphBuilder()
    const frozen = builder.input('frozen', [3, 3])
    const x = builder.input('x', [2, 3])
    const trained = builder.input('trained', [2, 3])
    const loss = sumAll(multiply(trained, sigmoid(matMul(x, frozen))))
    const [gradient] = gradients(loss, [trained])
    const graph = builder.build({ gradient: gradient! })
    assert.equal(graph.nodes.filter(({ operator }) => operator.name === 'MatMul').length, 1)
  })

  it('are refused where they are undefined', () => {
    const builder = new GraphBuilder()
    const x = builder.input('x', [2])
    const aside = builder.input('aside', [2])
    const loss = sumAll(multiply(x, cast(less(aside, x), 'float32')))
    assert.throws(() => gradients(loss, [aside]), /does not depend on/)
    assert.throws(() => gradients(x, [x]), /only a scalar/)
    const table = builder.input('table', [4])
    const indices = builder.input('indices', [2], 'int32')
    assert.throws(() => gradients(sumAll(gatherRows(table, indices)), [indices]), /does not depend on/)
  })

  it('use the custom gradient of a value', () => {
    const builder = new GraphBuilder()
    const x = builder.input('x', [2])
    const tripled = withGradient(sigmoid(x), [x], (dy) => [multiply(dy, builder.scalar(3))])
    const [gradient] = gradients(sumAll(tripled), [x])
    const names = builder.build({ gradient: gradient! }).nodes.map(({ operator }) => operator.name)
    assert.ok(!names.includes('Sigmoid'))
  })
})
