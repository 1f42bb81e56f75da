/**
 * Executors, which run graphs.
 *
 * @example
 * ```ts
 * const executor = await chooseExecutor({ threads: 2 })
 * const compiled = await executor.compile(graph)
 * const loss = (await compiled.run(new Map([['x', x], ['w', w]]))).get('loss')![0]
 * await compiled.dispose()
 * ```
 */
export * from './choice.ts'
export * from './choose-executor.ts'
export type { CompiledGraph, Executor, Feeds, FeedValue } from './executor.ts'
export { ExecutorUnavailableError } from './executor-error.ts'
export { serialiseOnnx } from './onnx/index.ts'
export { createOnnxRuntimeExecutor, type OnnxRuntimeDevice, type OnnxRuntimeOptions } from './onnxruntime.ts'
export { createOnnxRuntimeWebExecutor, type OnnxRuntimeWebOptions } from './onnxruntime-web.ts'
export { createTfjsExecutor, type TfjsDevice, type TfjsOptions } from './tfjs/index.ts'
