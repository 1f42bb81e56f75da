import { elementCount, type Graph } from '../graph/index.ts'
import type { DeviceName } from './choice.ts'
import { type CompiledGraph, type Executor, type Feeds, feedFor, requireThreads } from './executor.ts'
import { ExecutorUnavailableError, firstLineOf, unavailablePackage } from './executor-error.ts'
import { onnxInputName, serialiseOnnx } from './onnx/index.ts'

type OnnxRuntime = typeof import('onnxruntime-node')
type Session = import('onnxruntime-node').InferenceSession

/** Devices that onnxruntime can compute on. */
export type OnnxRuntimeDevice = Extract<DeviceName, 'cpu' | 'webgpu' | 'cuda'>

/** Options of onnxruntime. */
export interface OnnxRuntimeOptions {
  /** Threads inside one operator; 1 if absent. The results do not depend on it. */
  readonly threads?: number
  /** `cpu` if absent. */
  readonly device?: OnnxRuntimeDevice
}

/**
 * The default executor: onnxruntime's native library.
 *
 * @throws {ExecutorUnavailableError} from `compile`, when the library or the device is missing on this machine
 */
export function createOnnxRuntimeExecutor(options: OnnxRuntimeOptions = {}): Executor {
  const { threads = 1, device = 'cpu' } = options
  requireThreads(threads)
  return {
    name: 'onnxruntime',
    device,
    compile: async (graph) => compile(await loadOnnxRuntime(device), graph, threads, device)
  }
}

async function loadOnnxRuntime(device: OnnxRuntimeDevice): Promise<OnnxRuntime> {
  try {
    return await import('onnxruntime-node')
  } catch (cause) {
    throw new ExecutorUnavailableError(
      { executor: 'onnxruntime', device },
      unavailablePackage('onnxruntime-node', cause, {
        needs:
          'It needs Linux with glibc 2.28 or later, Windows, or macOS on Apple silicon; elsewhere, ' +
          'onnxruntime-web replaces it'
      }),
      { cause }
    )
  }
}

async function compile(
  ort: OnnxRuntime,
  graph: Graph,
  threads: number,
  device: OnnxRuntimeDevice
): Promise<CompiledGraph> {
  const { bytes, outputNames } = serialiseOnnx(graph)
  const session = await createSession(ort, bytes, threads, device)
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

async function createSession(
  ort: OnnxRuntime,
  bytes: Uint8Array,
  threads: number,
  device: OnnxRuntimeDevice
): Promise<Session> {
  const create = (): Promise<Session> =>
    ort.InferenceSession.create(bytes, {
      executionProviders: [device],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // A memory pattern would allocate one block for the whole step in addition to the first step's memory: twice as
      // much.
      enableMemPattern: false,
      logSeverityLevel: 3,
      // Threads that spin while waiting would starve the event loop and other peers on the processor.
      extra: { session: { intra_op: { allow_spinning: '0' } } }
    })
  if (device === 'cpu') return create()
  // The library prints coloured warnings on standard error; the error below reports the problem once.
  ort.env.logLevel = 'fatal'
  const bundled = ort.listSupportedBackends().find(({ name }) => name === device)
  try {
    return await create()
  } catch (cause) {
    const reason = bundled
      ? firstLineOf(cause)
      : `the ${process.platform}-${process.arch} build has no ${device}`
    throw unavailable(device, reason, cause)
  }
}

/** What to do if a graphics device is missing. */
function unavailable(
  device: Exclude<OnnxRuntimeDevice, 'cpu'>,
  message: string,
  cause: unknown
): ExecutorUnavailableError {
  const where = { executor: 'onnxruntime', device } as const
  if (device === 'webgpu') {
    const reason = /adapter/i.test(message) ? 'WebGPU finds no graphics adapter' : message
    const remedy =
      'It needs a graphics card whose driver speaks Vulkan (Linux), Direct3D 12 (Windows) or Metal (macOS); ' +
      '--device cpu works without one. On Debian or Ubuntu the Vulkan loader and drivers come with'
    const install = 'apt install libvulkan1 mesa-vulkan-drivers'
    return new ExecutorUnavailableError(where, { reason, remedy, install }, { cause })
  }
  const reason = /shared library/i.test(message) ? "onnxruntime's CUDA library is not installed" : message
  const remedy =
    'It needs Linux on x64, an NVIDIA card, CUDA 12 and cuDNN 9; --device cpu works without them. The library, which npm ' +
    'leaves out because it comes from outside the registry, is fetched by'
  return new ExecutorUnavailableError(where, { reason, remedy, install: CUDA_INSTALL }, { cause })
}

const CUDA_INSTALL = 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false'

function tensorFeeds(
  ort: OnnxRuntime,
  graph: Graph,
  feeds: Feeds
): Record<string, InstanceType<OnnxRuntime['Tensor']>> {
  const tensors: Record<string, InstanceType<OnnxRuntime['Tensor']>> = {}
  for (const [name, node] of graph.inputs) {
    // The array type was already checked against the element type, but the compiler cannot know that.
    const value = feedFor(graph, feeds, name) as Float32Array
    tensors[onnxInputName(name)] = new ort.Tensor(node.dtype as 'float32', value, node.shape)
  }
  return tensors
}
