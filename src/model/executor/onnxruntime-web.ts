import type { Graph } from '../graph/index.ts'
import { type CompiledGraph, type Executor, type Feeds, feedFor, requireThreads } from './executor.ts'
import { ExecutorUnavailableError, unavailablePackage } from './executor-error.ts'
import { onnxInputName, serialiseOnnx } from './onnx/index.ts'

type OnnxRuntimeWeb = typeof import('onnxruntime-web')
type WebTensor = InstanceType<OnnxRuntimeWeb['Tensor']>

/** Options of onnxruntime-web. */
export interface OnnxRuntimeWebOptions {
  /**
   * Threads inside one operator; 1 if absent. The first graph compiled in a process decides for all, since its
   * WebAssembly memory is allocated once. The results do not depend on it.
   */
  readonly threads?: number
}

/**
 * onnxruntime in WebAssembly: runs wherever Node.js runs, with the same bits on every processor.
 *
 * @throws {ExecutorUnavailableError} from `compile`, when the package is missing
 */
export function createOnnxRuntimeWebExecutor({ threads = 1 }: OnnxRuntimeWebOptions = {}): Executor {
  requireThreads(threads)
  return {
    name: 'onnxruntime-web',
    device: 'wasm',
    compile: async (graph) => compile(await loadOnnxRuntimeWeb(threads), graph)
  }
}

let loaded: Promise<OnnxRuntimeWeb> | undefined

/** In Node.js the package's entry finds its WebAssembly files beside itself: nothing is fetched. */
function loadOnnxRuntimeWeb(threads: number): Promise<OnnxRuntimeWeb> {
  loaded ??= import('onnxruntime-web').then(
    (ort) => {
      ort.env.wasm.numThreads = threads
      return ort
    },
    (cause) => {
      loaded = undefined
      throw new ExecutorUnavailableError(
        { executor: 'onnxruntime-web', device: 'wasm' },
        unavailablePackage('onnxruntime-web', cause),
        { cause }
      )
    }
  )
  return loaded
}

async function compile(ort: OnnxRuntimeWeb, graph: Graph): Promise<CompiledGraph> {
  const { bytes, outputNames } = serialiseOnnx(graph)
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ['wasm'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3
  })
  return {
    run: async (feeds) => {
      const results = await session.run(tensorFeeds(ort, graph, feeds))
      return new Map(
        [...graph.outputs.keys()].map((name) => [name, results[outputNames.get(name)!]!.data as Float32Array])
      )
    },
    dispose: () => session.release()
  }
}

function tensorFeeds(ort: OnnxRuntimeWeb, graph: Graph, feeds: Feeds): Record<string, WebTensor> {
  const tensors: Record<string, WebTensor> = {}
  for (const [name, node] of graph.inputs) {
    // The array type was already checked against the element type, but the compiler cannot know that.
    const value = feedFor(graph, feeds, name) as Float32Array
    tensors[onnxInputName(name)] = new ort.Tensor(node.dtype as 'float32', value, node.shape)
  }
  return tensors
}
