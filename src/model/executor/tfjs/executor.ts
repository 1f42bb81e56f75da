import type { Tensor } from '@tensorflow/tfjs-core'
import type { Graph, GraphNode } from '../../graph/index.ts'
import { type CompiledGraph, type Executor, feedFor } from '../executor.ts'
import { planSteps, runSteps, tensorOf } from './interpret.ts'
import { type LoadedTfjs, loadTfjs, type TfjsDevice } from './load-tfjs.ts'

/** How TensorFlow.js runs a graph. */
export interface TfjsOptions {
  /** `wasm` where it is absent. Neither `wasm` nor `cpu` has more than one thread in Node.js. */
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
  await activate(loaded)
  const constants = new Map<GraphNode, Tensor>()
  for (const node of graph.nodes) if (node.values) constants.set(node, tensorOf(tf, node.values, node.shape))
  return {
    run: async (feeds) => {
      const fed = new Map([...graph.inputs].map(([name, node]) => [node, feedFor(graph, feeds, name)]))
      await activate(loaded)
      // From here to the end nothing is awaited: another executor could make its own backend the active one.
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
    },
    dispose: async () => {
      for (const tensor of constants.values()) tensor.dispose()
      constants.clear()
    }
  }
}

/** Makes the backend the active one; TensorFlow.js has one for all its users in the process. */
async function activate({ tf, backend }: LoadedTfjs): Promise<void> {
  while (tf.getBackend() !== backend) await tf.setBackend(backend)
}
