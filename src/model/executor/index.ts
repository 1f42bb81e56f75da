/**
 * What runs graphs.
 *
 * @example
 * ```ts
 * const executor = createOnnxRuntimeExecutor({ threads: 2 })
 * const compiled = await executor.compile(graph)
 * const loss = (await compiled.run(new Map([['x', x], ['w', w]]))).get('loss')![0]
 * await compiled.dispose()
 * ```
 */
export type { CompiledGraph, Executor, Feeds, FeedValue } from './executor.ts'
export { serialiseOnnx } from './onnx/index.ts'
export { createOnnxRuntimeExecutor, type OnnxRuntimeOptions } from './onnxruntime.ts'
