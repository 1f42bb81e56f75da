/** Follows a held-out loss and detects when it no longer falls. */
export interface EarlyStop {
  /** Lowest loss so far and the step it was measured at. */
  readonly best: { readonly loss: number; readonly step: number } | undefined
  /** Evaluations since then. */
  readonly since: number
  /** Takes a measurement; returns true if it is the best so far. */
  observe(loss: number, step: number): boolean
  /** Whether `patience` evaluations have passed without a new best. */
  readonly exhausted: boolean
}

/** The state of an early stop. */
export interface EarlyStopState {
  readonly best?: { readonly loss: number; readonly step: number } | undefined
  readonly since: number
}

/**
 * @param patience tolerated evaluations without a new best; never stops if absent
 * @param state the state of an earlier one
 */
export function createEarlyStop(
  patience = Number.POSITIVE_INFINITY,
  state: EarlyStopState = { since: 0 }
): EarlyStop {
  let { best, since } = state
  return {
    get best() {
      return best
    },
    get since() {
      return since
    },
    get exhausted() {
      return since >= patience
    },
    observe(loss, step) {
      if (best !== undefined && loss >= best.loss) {
        since++
        return false
      }
      best = { loss, step }
      since = 0
      return true
    }
  }
}
