/**
 * A peer's Prometheus metrics: rounds, disk, process, libp2p and gossipsub.
 *
 * @example
 * ```ts
 * const metrics = createMetrics('0.1.0')
 * const host = await createHost({ ...options, metrics })
 * metrics.watch({ home, host, state: () => driver.state })
 * metrics.note(report)
 * await metrics.text() // the exposition format
 * ```
 */
export { createMetrics, type MetricsSources, type PeerMetrics } from './peer-metrics.ts'
