import { memberIndex } from '../charter/round-context.ts'
import { compareBytes, hex } from '../encoding/bytes.ts'
import type { Evidence } from '../messages/bodies.ts'
import { EVIDENCE_MAX, evidenceOf, offenderOf } from '../messages/evidence.ts'
import type { Message } from '../messages/message.ts'
import { type Draft, say } from '../state/draft.ts'
import type { PeerState } from '../state/state.ts'

/** Notes what two messages prove, once an offender. */
export function convict(draft: Draft, first: Message, second: Message): void {
  const evidence = evidenceOf(first, second)
  if (evidence === undefined) return
  if (!draft.equivocators.has(first.author)) {
    draft.equivocators = new Set(draft.equivocators).add(first.author)
    draft.effects.push({ type: 'equivocation', first, second })
  }
  learnEvidence(draft, evidence)
}

/** Keeps evidence, the first about an offender; it stays until a cut has convicted it. */
export function learnEvidence(draft: Draft, evidence: Evidence): void {
  const key = hex(offenderOf(evidence))
  if (!draft.evidence.has(key)) draft.evidence = new Map(draft.evidence).set(key, evidence)
}

/** Tells the others of every offender among this round's members, once a round. Nobody accuses itself. */
export function spreadEvidence(draft: Draft): void {
  if (draft.committed !== undefined) return
  for (const evidence of draft.evidence.values()) {
    const offender = memberIndex(draft.context, offenderOf(evidence))
    if (offender >= 0 && offender !== draft.self) say(draft, 'evidence', offender, evidence)
  }
}

/** What a proposer puts into a fresh cut: all that it knows about this round's members, within the bound. */
export function evidenceForCut(state: PeerState): Evidence[] {
  return [...state.evidence.values()]
    .filter((evidence) => memberIndex(state.context, offenderOf(evidence)) >= 0)
    .sort((left, right) => compareBytes(offenderOf(left), offenderOf(right)))
    .slice(0, EVIDENCE_MAX)
}
