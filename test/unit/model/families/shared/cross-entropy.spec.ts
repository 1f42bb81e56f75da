import { crossEntropy, targetLogProbabilities } from '../../../../../src/model/families/llama/index.ts'
import { GraphBuilder, type GraphNode, gradients } from '../../../../../src/model/graph/index.ts'
import { createOnnxRuntimeExecutor, createSeededRandom } from '../../../../../src/model/index.ts'
import { assertClose } from '../../close.ts'

/** Enough words that the rows are processed in three chunks, the last one shorter. */
const [ROWS, WIDTH, VOCABULARY] = [293, 4, 70_000]

describe('cross-entropy', () => {
  it('gives the same loss and gradients in chunks as over the whole distribution', async () => {
    const random = createSeededRandom(3)
    const normal = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal())
    const x = normal(ROWS * WIDTH)
    const head = normal(VOCABULARY * WIDTH)
    const targets = Int32Array.from({ length: ROWS }, () => random.nextUint32() % VOCABULARY)
    targets[1] = targets[0]!
    const weights = Float32Array.from({ length: ROWS }, (_, row) => (row % 5 === 0 ? 0 : 1 / ROWS))
    const found = await run(x, head, targets, weights)

    let loss = 0
    const dx = new Float64Array(x.length)
    const dHead = new Float64Array(head.length)
    const expected = new Float64Array(ROWS)
    for (let row = 0; row < ROWS; row++) {
      const at = x.subarray(row * WIDTH, (row + 1) * WIDTH)
      const exponentials = new Float64Array(VOCABULARY)
      let total = 0
      for (let word = 0; word < VOCABULARY; word++) {
        let logit = 0
        for (let k = 0; k < WIDTH; k++) logit += at[k]! * head[word * WIDTH + k]!
        exponentials[word] = Math.exp(logit)
        total += exponentials[word]!
      }
      const weight = weights[row]!
      expected[row] = Math.log(exponentials[targets[row]!]! / total)
      loss -= weight * expected[row]!
      for (let word = 0; word < VOCABULARY; word++) {
        const slope = weight * (exponentials[word]! / total - (word === targets[row] ? 1 : 0))
        for (let k = 0; k < WIDTH; k++) {
          dx[row * WIDTH + k]! += slope * head[word * WIDTH + k]!
          dHead[word * WIDTH + k]! += slope * at[k]!
        }
      }
    }
    assertClose(found.get('logProbabilities')!, expected, 1e-5, 'log-probabilities')
    assertClose(found.get('loss')!, [loss], 1e-6, 'loss')
    assertClose(found.get('dx')!, dx, 1e-5, 'gradient of the rows')
    // By parts, as the comparison spreads its arguments.
    for (let start = 0; start < dHead.length; start += 20_000) {
      const part = [start, start + 20_000] as const
      assertClose(found.get('dHead')!.slice(...part), dHead.slice(...part), 1e-5, 'gradient of the head')
    }
  })
})

async function run(x: Float32Array, head: Float32Array, targets: Int32Array, weights: Float32Array) {
  const builder = new GraphBuilder()
  const nodes: [GraphNode, GraphNode, GraphNode] = [
    builder.input('x', [ROWS, WIDTH]),
    builder.input('head', [VOCABULARY, WIDTH]),
    builder.input('targets', [ROWS], 'int32')
  ]
  const loss = crossEntropy(...nodes, builder.input('weights', [ROWS]))
  const [dx, dHead] = gradients(loss, nodes.slice(0, 2))
  const logProbabilities = targetLogProbabilities(...nodes)
  const graph = builder.build({ loss, dx: dx!, dHead: dHead!, logProbabilities })
  const compiled = await createOnnxRuntimeExecutor().compile(graph)
  const results = await compiled.run(
    new Map<string, Float32Array | Int32Array>(Object.entries({ x, head, targets, weights }))
  )
  const copies = new Map([...results].map(([name, values]) => [name, values.slice()]))
  await compiled.dispose()
  return copies
}
