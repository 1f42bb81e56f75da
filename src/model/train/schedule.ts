/** How the learning rate changes over the steps. */
export interface ScheduleSettings {
  readonly kind: 'constant' | 'cosine'
  /** Highest learning rate. */
  readonly learningRate: number
  /** Steps over which it rises linearly from 0; 0 if absent. */
  readonly warmupSteps?: number
  /** For `cosine`: share of the highest rate at the end; 0 if absent. */
  readonly finalShare?: number
}

/**
 * Learning rate of step `step` (from 0) of `steps`: a linear warm-up, then constant or falling along half a cosine to
 * `finalShare` of the peak.
 */
export function learningRateAt(settings: ScheduleSettings, step: number, steps: number): number {
  const { kind, learningRate, warmupSteps = 0, finalShare = 0 } = settings
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps
  if (kind === 'constant') return learningRate
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps))
  return learningRate * (finalShare + (1 - finalShare) * 0.5 * (1 + Math.cos(Math.PI * progress)))
}
