import { type Effect, hex } from '../../protocol/index.ts'
import type { Log } from '../log/log.ts'
import { peerIdText } from '../storage/peer-id-text.ts'

/** Effects that are only logged. */
type LoggedEffect = Extract<
  Effect,
  { type: 'unpublished' | 'refused' | 'missed' | 'awaitedAgain' | 'certified' | 'equivocation' }
>

/** Logs an effect that nothing else has to be done for. */
export function logEffect(log: Log, effect: LoggedEffect): void {
  switch (effect.type) {
    case 'unpublished':
      log.error(
        { reason: effect.reason },
        'the adapter of this peer is not announced: the others would refuse it'
      )
      break
    case 'refused':
      log.warn(
        { peer: peerIdText(effect.author), manifest: hex(effect.manifest), fault: effect.reason },
        'a manifest is not endorsed, and its author is not waited for in this round'
      )
      break
    case 'missed':
      logMissed(log, effect)
      break
    case 'awaitedAgain':
      log.info(
        { peer: peerIdText(effect.author) },
        "a member's adapter was stacked again; the member is waited for again"
      )
      break
    case 'certified':
      log.debug({ author: effect.certificate.author }, 'a manifest is certified')
      break
    case 'equivocation': {
      const { author, kind, slot } = effect.first
      log.warn(
        { peer: peerIdText(effect.first.header.author), author, kind, slot },
        'a member signed two conflicting messages'
      )
    }
  }
}

/** Logs an author whose adapter was awaited in vain. */
function logMissed(log: Log, effect: Extract<Effect, { type: 'missed' }>): void {
  log.warn(
    { peer: peerIdText(effect.author), rounds: effect.rounds, why: whyMissed(effect) },
    effect.isGivenUp
      ? 'a member had no adapter that could be stacked in three consecutive rounds; it is no longer waited for'
      : 'a member had no adapter that could be stacked'
  )
}

function whyMissed({ isInvalid, isAnnounced }: Extract<Effect, { type: 'missed' }>): string {
  if (isInvalid) return 'its adapter is invalid'
  return isAnnounced
    ? 'its blocks were unavailable, or too few members endorsed them'
    : 'it announced none in time'
}
