import { elementCount, type Graph } from '../graph/index.ts'
import type { CompiledGraph, Executor, Feeds } from './executor.ts'
import { onnxInputName, serialiseOnnx } from './onnx/index.ts'

type OnnxRuntime = typeof import('onnxruntime-node')

/** How onnxruntime runs a graph. */
export interface OnnxRuntimeOptions {
  /** Threads inside one operator; 1 where it is absent. The results do not depend on it. */
  readonly threads?: number
}

/**
 * The default executor: onnxruntime's native library on the CPU.
 *
 * @throws {Error} from `compile`, when the native library is missing on this platform
 */
export function createOnnxRuntimeExecutor({ threads = 1 }: OnnxRuntimeOptions = {}): Executor {
  if (!Number.isInteger(threads) || threads < 1)
    throw new Error(`threads must be a whole number from 1 on, not ${threads}`)
  return { name: 'onnxruntime', compile: async (graph) => compile(await loadOnnxRuntime(), graph, threads) }
}

async function loadOnnxRuntime(): Promise<OnnxRuntime> {
  try {
    return await import('onnxruntime-node')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(
      `onnxruntime-node does not load on ${process.platform}-${process.arch} (${reason.split('\n')[0]}). It needs Linux ` +
        'with glibc 2.28 or later, Windows, or macOS on Apple silicon; install again with npm ci on such a machine.',
      { cause }
    )
  }
}

async function compile(ort: OnnxRuntime, graph: Graph, threads: number): Promise<CompiledGraph> {
  const { bytes, outputNames } = serialiseOnnx(graph)
  const session = await ort.InferenceSession.create(bytes, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    // Threads that wait by spinning would starve the peers, and the event loop, that share the processor.
    extra: { session: { intra_op: { allow_spinning: '0' } } }
  })
  const outputs = new Map<string, Float32Array>()
  const fetches: Record<string, InstanceType<OnnxRuntime['Tensor']>> = {}
  for (const [name, node] of graph.outputs) {
    const data = new Float32Array(elementCount(node.shape))
    outputs.set(name, data)
    fetches[outputNames.get(name)!] = new ort.Tensor('float32', data, node.shape)
  }
  return {
    run: async (feeds) => {
      await session.run(tensorFeeds(ort, graph, feeds), fetches)
      return outputs
    },
    dispose: () => session.release()
  }
}

function tensorFeeds(
  ort: OnnxRuntime,
  graph: Graph,
  feeds: Feeds
): Record<string, InstanceType<OnnxRuntime['Tensor']>> {
  const tensors: Record<string, InstanceType<OnnxRuntime['Tensor']>> = {}
  for (const [name, node] of graph.inputs) {
    const value = feeds.get(name)
    if (!value) throw new Error(`the graph input ${name} was not fed`)
    if (value.length !== elementCount(node.shape)) {
      throw new Error(
        `the graph input ${name} has shape [${node.shape}], but ${value.length} elements were fed`
      )
    }
    if (value instanceof Float32Array !== (node.dtype === 'float32')) {
      throw new Error(`the graph input ${name} is ${node.dtype}, but a ${value.constructor.name} was fed`)
    }
    tensors[onnxInputName(name)] =
      value instanceof Float32Array
        ? new ort.Tensor('float32', value, node.shape)
        : new ort.Tensor('int32', value, node.shape)
  }
  return tensors
}
