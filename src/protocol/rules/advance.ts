import { equalBytes, sameDigest } from '../encoding/bytes.ts'
import { contextAfter } from '../history/sealed-round.ts'
import { memberIndex } from '../round/context.ts'
import type { Draft } from '../state/draft.ts'
import { followsHistory, initialState } from '../state/state.ts'
import { beginRound } from './begin-round.ts'
import { countAbsences, countMisses } from './give-up.ts'
import { hearEarly } from './hear.ts'
import { openRequests } from './membership-vote.ts'

/**
 * Advances to the next round once the round is sealed and this peer's build is done. If the build differs from the
 * sealed one, this member continues to vote but has to rebuild (rule 8 *Attest*); until then it follows without a
 * build. It does not build a round that is far behind the others either (rule 16 *Catch-up*).
 */
export function advance(draft: Draft): void {
  const { sealedRound, built, context } = draft
  if (sealedRound === undefined) return
  if (built === undefined && !draft.diverged && !followsHistory(draft)) return
  let { diverged } = draft
  if (built !== undefined) {
    const { stack, model } = sealedRound.seal
    const isSealed = sameDigest(built.stack, stack) && equalBytes(built.model, model)
    diverged = !isSealed
    if (diverged) draft.effects.push({ type: 'diverged', context, sealedRound, built: built.model })
  }
  draft.effects.push({ type: 'sealed', context, sealedRound })
  const next = contextAfter(context, sealedRound)
  const misses = countMisses(draft, sealedRound.cut, next)
  const absences = countAbsences(draft)
  const { early, remembered, evidence, requests, historyThrough, delays } = draft
  const { silentThrough, isContradicted, contradictions, heldBack } = draft
  Object.assign(draft, initialState(next, draft.signer.peer, remembered), {
    silentThrough,
    isContradicted: isContradicted && next.round <= silentThrough,
    contradictions,
    heldBack,
    historyThrough,
    diverged,
    delays,
    misses,
    absences,
    requests,
    evidence: new Map([...evidence].filter(([, { first }]) => memberIndex(next, first.header.author) >= 0))
  })
  draft.requests = openRequests(draft)
  beginRound(draft)
  hearEarly(draft, early)
}

/** Rule 8 *Attest*: the sealed model is available again; the member trains if there is still time. */
export function comeBack(draft: Draft, model: Uint8Array): void {
  if (!draft.diverged || !equalBytes(model, draft.context.modelDigest)) return
  draft.diverged = false
  if (draft.phase === 'training') draft.effects.push({ type: 'train', context: draft.context })
}
