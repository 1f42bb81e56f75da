import { hex } from '../encoding/bytes.ts'
import type { Evidence } from '../messages/bodies.ts'
import { evidenceOf, offenderOf } from '../messages/evidence.ts'
import type { Message } from '../messages/message.ts'
import type { Draft } from './draft.ts'

/** Records what two messages of one author prove against it (rule 10 *Evidence*). */
export function convict(draft: Draft, first: Message, second: Message): void {
  const evidence = evidenceOf(first, second)
  if (evidence === undefined) return
  if (!draft.equivocators.has(first.author)) {
    draft.equivocators = new Set(draft.equivocators).add(first.author)
    draft.effects.push({ type: 'equivocation', first, second })
  }
  learnEvidence(draft, evidence)
}

/** Keeps evidence, the first about an offender, until a cut has convicted the offender. */
export function learnEvidence(draft: Draft, evidence: Evidence): void {
  const key = hex(offenderOf(evidence))
  if (!draft.evidence.has(key)) draft.evidence = new Map(draft.evidence).set(key, evidence)
}
