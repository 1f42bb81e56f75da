import { elementCount, type Graph } from '../graph/index.ts'
import type { DeviceName, ExecutorName } from './choice.ts'

/**
 * Elements fed to a graph input, row-major: Float32Array for float32, Int32Array for int32, Uint16Array (bits) for
 * float16, Uint8Array for uint8.
 */
export type FeedValue = Float32Array | Int32Array | Uint16Array | Uint8Array

const FEED_ARRAYS = {
  float32: Float32Array,
  int32: Int32Array,
  float16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array
} as const
/** One value for every input of the graph, by name. */
export type Feeds = ReadonlyMap<string, FeedValue>

/** A compiled graph. */
export interface CompiledGraph {
  /**
   * Computes all outputs. Their arrays belong to the compiled graph and are overwritten by its next run: copy what must
   * persist, and do not start a run before the previous one has ended.
   *
   * @throws {Error} when an input is missing or has the wrong number of elements
   */
  run(feeds: Feeds): Promise<ReadonlyMap<string, Float32Array>>
  /** Frees the native memory. */
  dispose(): Promise<void>
}

/** Compiles and runs graphs. */
export interface Executor {
  readonly name: ExecutorName
  readonly device: DeviceName
  compile(graph: Graph): Promise<CompiledGraph>
}

/**
 * The value fed to the graph input `name`.
 *
 * @throws {Error} when it is missing, or has another type or number of elements than the input
 */
export function feedFor(graph: Graph, feeds: Feeds, name: string): FeedValue {
  const node = graph.inputs.get(name)!
  const value = feeds.get(name)
  if (!value) throw new Error(`the graph input ${name} was not fed`)
  if (value.length !== elementCount(node.shape)) {
    throw new Error(
      `the graph input ${name} has shape [${node.shape}], but ${value.length} elements were fed`
    )
  }
  if (!(value instanceof FEED_ARRAYS[node.dtype])) {
    throw new Error(`the graph input ${name} is ${node.dtype}, but a ${value.constructor.name} was fed`)
  }
  return value
}

/** @throws {Error} unless `threads` is a positive integer */
export function requireThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1)
    throw new Error(`threads must be a positive integer, got ${threads}`)
}
