import type { Effect } from '../../protocol/index.ts'
import type { Log } from '../log/log.ts'
import { peerIdText } from '../storage/peer-id-text.ts'

type Waiting = Extract<Effect, { type: 'missed' | 'awaitedAgain' }>

/** Names an author that was waited for in vain, or that is waited for again. */
export function logWaiting(log: Log, effect: Waiting): void {
  const peer = peerIdText(effect.author)
  if (effect.type === 'awaitedAgain') {
    log.info({ peer }, 'a member is stacked again, and is waited for again')
    return
  }
  const { rounds, isInvalid } = effect
  const why = isInvalid ? 'its adapter is invalid' : 'its blocks could not be had, or too few endorsed them'
  log.warn(
    { peer, rounds, why },
    effect.isGivenUp
      ? 'a member announced adapters that could not be stacked in three rounds running; it is no longer waited for'
      : 'a member announced an adapter that could not be stacked'
  )
}
