import type { DeviceName, ExecutorName } from '../choice.ts'
import { createExecutor, requireWorking } from '../choose-executor.ts'
import { ExecutorUnavailableError, firstLineOf, type Unavailability } from '../executor-error.ts'

/** The result of the probe process. */
export type ProbeAnswer = { readonly works: true } | ({ readonly works: false } & Unavailability)

/** Entry of the probe's process, `probe-process EXECUTOR DEVICE`: sends one result. */
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
