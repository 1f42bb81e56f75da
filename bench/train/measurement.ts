/** What one process measured, on either side. */
export interface Measurement {
  /** Mean cross-entropy of every step, warm-up included, nats. */
  readonly losses: readonly number[]
  /** Wall time of every measured step. */
  readonly stepMs: readonly number[]
  /** Average time of a measured step spent outside the executor; on Loam's side only. */
  readonly outsideMs?: number
  readonly rssMB: number
}

/** Steps before the measured ones: caches fill, memory is laid out. */
export const WARM_UP_STEPS = 2
