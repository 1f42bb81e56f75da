import { equalBytes } from '../encoding/bytes.ts'
import { cutId } from '../messages/cut.ts'
import { VIEW_KINDS } from '../messages/header.ts'
import { isKind, judge } from '../messages/judge.ts'
import { decodeEnvelope, type Message } from '../messages/message.ts'
import { learnEvidence } from '../state/conviction.ts'
import { type Draft, startTimer } from '../state/draft.ts'
import type { LogRecord, SignedRecord } from '../state/effects.ts'
import { keep } from '../state/keep.ts'
import { isSilent } from '../state/say.ts'
import { firstOf } from '../state/slots.ts'
import { acceptCertificate } from './endorse.ts'
import { beginGathering } from './ready.ts'
import { startView } from './vote.ts'

/**
 * Begins a round, or resumes one from the log: everything that this peer signed stands, its lock and its valid cut are
 * restored (rule 5 *Vote*), and its own messages are sent again. The others' messages come back by sync, except those
 * that its own depend on, which are in the log.
 */
export function beginRound(draft: Draft): void {
  const effects = [...draft.effects]
  const own: Message[] = []
  for (const record of draft.remembered) {
    if (record.type === 'valid') restoreValid(draft, record)
    else if (record.type === 'signed') restoreSigned(draft, record, own)
  }
  // The effects of logged messages were carried out when they were logged.
  draft.effects = effects
  if (draft.diverged) draft.effects.push({ type: 'rebuild', context: draft.context })
  const said = own.some((message) => isKind(message, 'manifest') || isKind(message, 'ready'))
  if (said) beginGathering(draft)
  else beginTraining(draft)
  restoreView(draft, own)
  draft.effects.push(...own.map((message) => ({ type: 'broadcast', message }) as const))
}

/** Enters the first phase, as a trainer or as a member that only votes. */
function beginTraining(draft: Draft): void {
  if (!draft.context.trainers.includes(draft.self) || isSilent(draft)) {
    beginGathering(draft)
    return
  }
  // A member that has to rebuild first trains only if the rebuild finishes in time.
  if (!draft.diverged) draft.effects.push({ type: 'train', context: draft.context })
  startTimer(draft, 'train', draft.context.charter.timeouts.trainMs)
}

function restoreValid(draft: Draft, record: Extract<LogRecord, { type: 'valid' }>): void {
  if (record.round !== draft.context.round) return
  draft.valid = { view: record.view, cut: record.cut, id: cutId(draft.context, record.cut) }
  draft.view = Math.max(draft.view, record.view)
  for (const bytes of record.prevotes) {
    const judgement = judge(draft.context, decodeEnvelope(bytes), draft.verify)
    if (judgement.verdict === 'accept') keep(draft, judgement.message)
  }
}

function restoreSigned(draft: Draft, { envelope, certificates }: SignedRecord, own: Message[]): void {
  const judgement = judge(draft.context, decodeEnvelope(envelope), draft.verify)
  if (judgement.verdict !== 'accept' || judgement.message.author !== draft.self) return
  // Counts its view as reached; otherwise the bound on views ahead would drop the message.
  if (VIEW_KINDS.has(judgement.message.kind)) draft.view = Math.max(draft.view, judgement.message.slot)
  keep(draft, judgement.message)
  own.push(judgement.message)
  if (isKind(judgement.message, 'evidence')) learnEvidence(draft, judgement.message.body)
  for (const certificate of certificates ?? []) acceptCertificate(draft, certificate)
}

function restoreView(draft: Draft, own: readonly Message[]): void {
  const { view } = draft
  if (view < 0) return
  startView(draft, view)
  draft.phase = 'deciding'
  if (firstOf(draft, 'precommit', view, draft.self) !== undefined) draft.step = 'precommit'
  else if (firstOf(draft, 'prevote', view, draft.self) !== undefined) draft.step = 'prevote'
  for (const message of own) {
    if (!isKind(message, 'precommit') || message.body.cut === null) continue
    if (draft.locked === undefined || message.slot > draft.locked.view)
      draft.locked = { view: message.slot, id: message.body.cut }
  }
  if (draft.locked !== undefined && draft.valid !== undefined && draft.valid.view === draft.locked.view) {
    if (!equalBytes(draft.valid.id, draft.locked.id))
      throw new Error('the log is locked on another cut than its valid one')
  }
}
