/**
 * Graphs interpreted over TensorFlow.js: the second opinion on every operator and gradient, and the way to machines that
 * are set up for TensorFlow.
 *
 * @example
 * ```ts
 * const executor = createTfjsExecutor({ device: 'wasm' })
 * const compiled = await executor.compile(graph)
 * const loss = (await compiled.run(feeds)).get('loss')![0]
 * ```
 */
export { createTfjsExecutor, type TfjsOptions } from './executor.ts'
export type { TfjsDevice } from './load-tfjs.ts'
