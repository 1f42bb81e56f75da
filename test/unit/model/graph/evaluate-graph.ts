import { createOnnxRuntimeExecutor, type Executor } from '../../../../src/model/executor/index.ts'
import {
  elementCount,
  GraphBuilder,
  type GraphNode,
  gradients as gradientNodes,
  multiply,
  sumAll
} from '../../../../src/model/graph/index.ts'
import { createSeededRandom } from '../../../../src/model/index.ts'

/** A computation's value, and the loss and gradients of a random weighting of it. */
export interface Evaluated {
  readonly value: Float32Array
  readonly loss: number
  readonly gradients: readonly Float32Array[]
  /** Weights of the value's elements in the loss. */
  readonly weights: Float32Array
  /** The loss with other inputs, in float64 from the value's elements. */
  lossAt(values: readonly Float32Array[]): Promise<number>
  dispose(): Promise<void>
}

/** Runs `build` on inputs of the given shapes, through onnxruntime unless another executor is given. */
export async function evaluateWithGradients(
  shapes: readonly (readonly number[])[],
  values: readonly Float32Array[],
  build: (...inputs: GraphNode[]) => GraphNode,
  executor: Executor = createOnnxRuntimeExecutor()
): Promise<Evaluated> {
  const builder = new GraphBuilder()
  const inputs = shapes.map((shape, index) => builder.input(`x${index}`, shape))
  const y = build(...inputs)
  const random = createSeededRandom(99)
  const weights = Float32Array.from({ length: elementCount(y.shape) }, () => random.normal())
  const loss = sumAll(multiply(y, builder.constant(weights, y.shape)))
  const outputs: Record<string, GraphNode> = { y, loss }
  gradientNodes(loss, inputs).forEach((gradient, index) => {
    outputs[`d${index}`] = gradient
  })
  const compiled = await executor.compile(builder.build(outputs))
  const run = async (fed: readonly Float32Array[]): Promise<ReadonlyMap<string, Float32Array>> =>
    compiled.run(new Map(fed.map((data, index) => [`x${index}`, data])))
  const first = await run(values)
  const evaluated = {
    value: first.get('y')!.slice(),
    weights,
    loss: first.get('loss')![0]!,
    gradients: inputs.map((_, index) => first.get(`d${index}`)!.slice())
  }
  const lossAt = async (fed: readonly Float32Array[]): Promise<number> =>
    (await run(fed)).get('y')!.reduce((sum, element, index) => sum + element * weights[index]!, 0)
  return { ...evaluated, lossAt, dispose: () => compiled.dispose() }
}
