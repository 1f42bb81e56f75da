import { memberIndex } from '../round/context.ts'
import type { Draft } from '../state/draft.ts'
import { firstOf } from '../state/slots.ts'
import type { PeerState } from '../state/state.ts'
import { type Deadlines, deadlinesAfter } from '../timing/deadlines.ts'
import { delaysAfter } from '../timing/delays.ts'
import { type ViewMoments, withMoment, withViewMoment } from '../timing/moments.ts'
import { isAwaited, isHeard } from './give-up.ts'

/*
 * The rules' only contact with the clock: they report what happens, and ask for their deadlines. `timing/` evaluates
 * the times. Without a clock nothing is measured.
 */

/** The charter's times, adapted to the delays measured by this member. */
export function deadlinesOf({ context, delays }: Pick<PeerState, 'context' | 'delays'>): Deadlines {
  return deadlinesAfter(delays, context.charter.timeouts)
}

export function noteMoment(draft: Draft, moment: 'gathering' | 'readies'): void {
  if (draft.now !== undefined) draft.moments = withMoment(draft.moments, moment, draft.now)
}

/** Records the time of an event in the current view. */
export function noteViewMoment(draft: Draft, moment: keyof ViewMoments): void {
  if (draft.now !== undefined) draft.moments = withViewMoment(draft.moments, draft.view, moment, draft.now)
}

/** Records the arrival of a certificate: the last one before the commit counts. */
export function noteCertificate(draft: Draft): void {
  if (draft.now === undefined || draft.committed !== undefined) return
  draft.moments = { ...draft.moments, certified: draft.now }
}

/** At the commit: includes the delays of this round in the deadlines of the next ones. */
export function noteDelays(draft: Draft): void {
  const { now, moments, view, delays, context } = draft
  if (now === undefined) return
  const absent = absentTrainers(draft).filter((trainer) => isAwaited(draft, trainer))
  const late = absent.filter((trainer) => firstOf(draft, 'manifest', 0, trainer) !== undefined)
  draft.delays = delaysAfter(delays, {
    moments,
    view,
    now,
    isComplete: !absent.some((trainer) => isHeard(draft, trainer)),
    isCutShort: late.length > context.faulty
  })
}

/** The trainers that are not in the committed cut. */
function absentTrainers({ context, committed }: PeerState): number[] {
  const stacked = new Set((committed?.cut.entries ?? []).map(({ author }) => memberIndex(context, author)))
  return context.trainers.filter((trainer) => !stacked.has(trainer))
}
