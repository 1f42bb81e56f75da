import { compareBytes } from '../encoding/bytes.ts'
import type { Evidence } from '../messages/bodies.ts'
import { EVIDENCE_MAX, offenderOf } from '../messages/evidence.ts'
import { memberIndex } from '../round/context.ts'
import type { Draft } from '../state/draft.ts'
import { say } from '../state/say.ts'
import type { PeerState } from '../state/state.ts'

/**
 * Rule 10 *Evidence*: reports every offender among this round's members to the others, once per round; no member
 * accuses itself.
 */
export function spreadEvidence(draft: Draft): void {
  if (draft.committed !== undefined) return
  for (const evidence of draft.evidence.values()) {
    const offender = memberIndex(draft.context, offenderOf(evidence))
    if (offender >= 0 && offender !== draft.self) say(draft, 'evidence', offender, evidence)
  }
}

/** Evidence for a fresh cut: all that is known about this round's members, within the bound. */
export function evidenceForCut(state: PeerState): Evidence[] {
  return [...state.evidence.values()]
    .filter((evidence) => memberIndex(state.context, offenderOf(evidence)) >= 0)
    .sort((left, right) => compareBytes(offenderOf(left), offenderOf(right)))
    .slice(0, EVIDENCE_MAX)
}
