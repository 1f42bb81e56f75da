import type { Tensor } from '@tensorflow/tfjs-core'
import type { Graph, GraphNode } from '../../graph/index.ts'
import { type CompiledGraph, type Executor, type Feeds, feedFor } from '../executor.ts'
import { planSteps, runSteps, tensorOf } from './interpret.ts'
import { type LoadedTfjs, loadTfjs, type TfjsDevice } from './load-tfjs.ts'

/** Options of TensorFlow.js. */
export interface TfjsOptions {
  /** `wasm` if absent. In Node.js, `wasm` and `cpu` have only one thread. */
  readonly device?: TfjsDevice
}

/**
 * Runs graphs node by node on tfjs-core's operators.
 *
 * @throws {ExecutorUnavailableError} from `compile`, when the device's package is missing
 */
export function createTfjsExecutor({ device = 'wasm' }: TfjsOptions = {}): Executor {
  return { name: 'tfjs', device, compile: async (graph) => compile(await loadTfjs(device), graph) }
}

async function compile(loaded: LoadedTfjs, graph: Graph): Promise<CompiledGraph> {
  const { tf } = loaded
  const steps = planSteps(graph)
  const constants = new Map<GraphNode, Tensor>()
  await withBackend(loaded, () => {
    for (const node of graph.nodes)
      if (node.values) constants.set(node, tensorOf(tf, node.values, node.shape))
  })
  const compute = (feeds: Feeds): ReadonlyMap<string, Float32Array> => {
    const fed = new Map([...graph.inputs].map(([name, node]) => [node, feedFor(graph, feeds, name)]))
    // Tensors left at the end, even if a step fails, belong to the scope and are freed with it.
    tf.engine().startScope()
    try {
      const values = new Map(constants)
      for (const [node, value] of fed) values.set(node, tensorOf(tf, value, node.shape))
      runSteps(tf, steps, values)
      return new Map(
        [...graph.outputs].map(([name, node]) => [name, Float32Array.from(values.get(node)!.dataSync())])
      )
    } finally {
      tf.engine().endScope()
    }
  }
  return {
    run: (feeds) => withBackend(loaded, () => compute(feeds)),
    dispose: async () => {
      for (const tensor of constants.values()) tensor.dispose()
      constants.clear()
    }
  }
}

let turn: Promise<unknown> = Promise.resolve()

/**
 * Runs `work`, which must not await, while the backend is active: TensorFlow.js has one active backend per process, so
 * its users take turns.
 */
function withBackend<Result>({ tf, backend }: LoadedTfjs, work: () => Result): Promise<Result> {
  const result = turn.then(async () => {
    while (tf.getBackend() !== backend) await tf.setBackend(backend)
    return work()
  })
  turn = result.catch(() => undefined)
  return result
}
