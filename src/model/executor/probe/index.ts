/**
 * Probes which executors work on this machine.
 *
 * @example
 * ```ts
 * const found = await Promise.all(ALL_EXECUTORS.map((each) => probeExecutor(each)))
 * const working = found.filter(({ works }) => works)
 * ```
 */
export { type ExecutorProbe, type ProbeOptions, probeExecutor } from './probe.ts'
