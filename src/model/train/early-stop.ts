/** Follows a held-out loss and tells when it no longer falls. */
export interface EarlyStop {
  /** Lowest loss so far and the step it was measured at. */
  readonly best: { readonly loss: number; readonly step: number } | undefined
  /** Evaluations since then. */
  readonly since: number
  /** Takes a measurement; true when it is the best so far. */
  observe(loss: number, step: number): boolean
  /** Whether as many evaluations as `patience` have brought nothing. */
  readonly exhausted: boolean
}

/** What an early stop has to remember. */
export interface EarlyStopState {
  readonly best?: { readonly loss: number; readonly step: number } | undefined
  readonly since: number
}

/**
 * @param patience evaluations without a new best that are borne; never stops if absent
 * @param state what an earlier one remembered
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
