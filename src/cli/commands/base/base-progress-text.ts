import type { BaseProgress } from '../../../node/base/base-progress.ts'
import { printProgress } from '../../terminal/output.ts'

/** Time between two progress lines about the base model. */
const BASE_PROGRESS_MS = 5_000

/** Reports the progress of fetching the base model, every few seconds and at the end. */
export function sayBaseProgress(): (progress: BaseProgress) => void {
  let said = Number.NEGATIVE_INFINITY
  return (progress) => {
    const now = performance.now()
    const { done, total } = progress
    if (now - said < BASE_PROGRESS_MS && done < total) return
    said = now
    printProgress(baseProgressText(progress))
  }
}

/** The progress of fetching a base model, in one line. */
export function baseProgressText({ done, total, connected, providers }: BaseProgress): string {
  const far = `${megabytes(done)} of ${megabytes(total)} MB`
  return providers === 0 && done < total
    ? `the base model is not here: waiting for a member that has it (${far} here, ${connected} connected; or stop, and set --model to its folder)`
    : `base model: ${far} from ${providers} member(s)`
}

/** A verdict on a bootstrap address, and what to do about it. */
export function verdictText({
  address,
  reason,
  advice
}: {
  readonly address: string
  readonly reason: string
  readonly advice: string
}): string {
  return [`${address}: ${reason}`, ...(advice === '' ? [] : [`  what to do: ${advice}`])].join('\n')
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
