import { candidatesFor, type ExecutorChoice, type ExecutorDevice } from '../../model/executor/choice.ts'
import { probeExecutor } from '../../model/executor/probe/index.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'
import { withoutSecrets } from './load.ts'

/**
 * Checks, in a process of its own, that an executor that is asked for computes on this machine. Where none is asked for
 * the trainer looks for the best one itself.
 *
 * @throws {PeerError} saying what is missing and what to do
 */
export async function requireExecutor({ executor, device }: ExecutorChoice): Promise<void> {
  if (executor === undefined && device === undefined) return
  const reasons: string[] = []
  for (const candidate of candidatesOf({ executor, device })) {
    const { works, reason, remedy, install } = await probeExecutor(candidate, {
      environment: withoutSecrets(process.env)
    })
    if (works) return
    const command = install === undefined ? '' : `: ${install}`
    reasons.push(`${candidate.executor} on ${candidate.device}: ${reason}. ${remedy}${command}`)
  }
  throw new PeerError(`the trainer cannot compute with what was asked for (${reasons.join('; ')})`)
}

function candidatesOf(choice: ExecutorChoice): readonly ExecutorDevice[] {
  try {
    return candidatesFor(choice)
  } catch (error) {
    throw new PeerError(messageOf(error))
  }
}
