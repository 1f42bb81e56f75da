import type { Effect } from '../../protocol/index.ts'
import type { Log } from '../log/log.ts'
import { peerIdText } from '../storage/peer-id-text.ts'

type Waiting = Extract<Effect, { type: 'missed' | 'awaitedAgain' }>

/** Logs an author whose adapter was awaited in vain, or is awaited again. */
export function logWaiting(log: Log, effect: Waiting): void {
  const peer = peerIdText(effect.author)
  if (effect.type === 'awaitedAgain') {
    log.info({ peer }, "a member's adapter was stacked again; the member is waited for again")
    return
  }
  const { rounds, isInvalid } = effect
  const why = isInvalid
    ? 'its adapter is invalid'
    : 'its blocks were unavailable, or too few members endorsed them'
  log.warn(
    { peer, rounds, why },
    effect.isGivenUp
      ? 'a member announced adapters that could not be stacked in three consecutive rounds; it is no longer waited for'
      : 'a member announced an adapter that could not be stacked'
  )
}
