import type { Graph } from '../graph/index.ts'

/** Elements fed to a graph input, row-major: Float32Array for float32, Int32Array for int32. */
export type FeedValue = Float32Array | Int32Array
/** One value for every input of the graph, by name. */
export type Feeds = ReadonlyMap<string, FeedValue>

/** A graph made ready to run. */
export interface CompiledGraph {
  /**
   * Computes all outputs. Their arrays belong to the compiled graph and are overwritten by its next run: copy what has
   * to last, and do not start a run before the last one has ended.
   *
   * @throws {Error} when an input is missing or has the wrong number of elements
   */
  run(feeds: Feeds): Promise<ReadonlyMap<string, Float32Array>>
  /** Frees the native memory. */
  dispose(): Promise<void>
}

/** Something that can run graphs. */
export interface Executor {
  readonly name: string
  compile(graph: Graph): Promise<CompiledGraph>
}
