import type { DeviceName, ExecutorName } from '../choice.ts'
import { createExecutor, requireWorking } from '../choose-executor.ts'
import { ExecutorUnavailableError, firstLineOf, type Unavailability } from '../executor-error.ts'

/** What the probe's process found. */
export type ProbeAnswer = { readonly works: true } | ({ readonly works: false } & Unavailability)

/** Entry of the probe's process, `probe-process EXECUTOR DEVICE`: answers once. */
const [executor, device] = process.argv.slice(2) as [ExecutorName, DeviceName]

async function probe(): Promise<ProbeAnswer> {
  try {
    await requireWorking(createExecutor({ executor, device }))
    return { works: true }
  } catch (error) {
    if (error instanceof ExecutorUnavailableError) {
      const { reason, remedy, install } = error
      return { works: false, reason, remedy, ...(install !== undefined && { install }) }
    }
    return { works: false, reason: firstLineOf(error), remedy: 'Choose another executor or device' }
  }
}

process.send?.(await probe())
