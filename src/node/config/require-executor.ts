import { candidatesFor, type ExecutorChoice, type ExecutorDevice } from '../../model/executor/choice.ts'
import { probeExecutor } from '../../model/executor/probe/index.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'
import { withoutSecrets } from './load.ts'

/**
 * Checks in a separate process that the requested executor works on this machine. If none is requested, the trainer
 * picks the best one itself.
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
  throw new PeerError(`the requested executor does not work on this machine (${reasons.join('; ')})`)
}

function candidatesOf(choice: ExecutorChoice): readonly ExecutorDevice[] {
  try {
    return candidatesFor(choice)
  } catch (error) {
    throw new PeerError(messageOf(error))
  }
}
