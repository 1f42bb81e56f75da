import { bitmapOf } from '../encoding/bytes.ts'
import { type Draft, startTimer } from '../state/draft.ts'
import { say } from '../state/say.ts'
import { countOf } from '../state/slots.ts'
import { isAwaited, noteMissing } from './give-up.ts'
import { deadlinesOf, noteMoment } from './measure.ts'

/**
 * Rule 3 *Ready*: one bitmap of the certificates held, sent at the earliest of: all awaited trainers are certified; the
 * gather deadline; `grace` after f + 1 readies; q readies.
 */
export function sayReady(draft: Draft): void {
  const { trainers, members, faulty, quorum } = draft.context
  if (draft.committed !== undefined) return
  const heard = countOf(draft, 'ready', 0)
  if (heard > faulty) {
    noteMoment(draft, 'readies')
    startTimer(draft, 'grace', deadlinesOf(draft).graceMs)
  }
  const complete = trainers.every((author) => draft.certificates.has(author) || !isAwaited(draft, author))
  if (complete || heard >= quorum || draft.expired.has('gather') || draft.expired.has('grace')) {
    noteMissing(draft)
    say(
      draft,
      'ready',
      0,
      { certified: bitmapOf(members.length, draft.certificates.keys()) },
      { certificates: [...draft.certificates.values()] }
    )
  }
}

/**
 * `gathering` begins with this peer's manifest or when the time to train is over; the gather deadline runs from then
 * on.
 */
export function beginGathering(draft: Draft): void {
  if (draft.phase === 'training') draft.phase = 'gathering'
  noteMoment(draft, 'gathering')
  startTimer(draft, 'gather', deadlinesOf(draft).gatherMs)
}
