import type { Tensor } from '@tensorflow/tfjs-core'
import type { Graph, GraphNode } from '../../graph/index.ts'
import { type CompiledGraph, type Executor, type Feeds, feedFor } from '../executor.ts'
import { planSteps, runSteps, tensorOf } from './interpret.ts'
import { type LoadedTfjs, loadTfjs, type TfjsDevice } from './load-tfjs.ts'

/** How TensorFlow.js runs a graph. */
export interface TfjsOptions {
  /** `wasm` if absent. Neither `wasm` nor `cpu` has more than one thread in Node.js. */
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
    // What is left at the end, also where a step fails, belongs to the scope and goes with it.
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
 * Does `work`, which awaits nothing, while the backend is the active one: TensorFlow.js has one active backend for all its
 * users in the process, so they take turns.
 */
function withBackend<Result>({ tf, backend }: LoadedTfjs, work: () => Result): Promise<Result> {
  const result = turn.then(async () => {
    while (tf.getBackend() !== backend) await tf.setBackend(backend)
    return work()
  })
  turn = result.catch(() => undefined)
  return result
}
