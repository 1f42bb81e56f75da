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
  const { rounds } = effect
  log.warn(
    { peer, rounds, why: whyOf(effect) },
    effect.isGivenUp
      ? 'a member had no adapter that could be stacked in three consecutive rounds; it is no longer waited for'
      : 'a member had no adapter that could be stacked'
  )
}

function whyOf({ isInvalid, isAnnounced }: Extract<Effect, { type: 'missed' }>): string {
  if (isInvalid) return 'its adapter is invalid'
  return isAnnounced
    ? 'its blocks were unavailable, or too few members endorsed them'
    : 'it announced none in time'
}
