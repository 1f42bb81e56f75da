import { equalBytes, hex } from '../encoding/bytes.ts'
import { describeConflict, isSameSeal } from '../history/conflicting-seals.ts'
import type { SealedRound } from '../history/sealed-round.ts'
import type { RoundContext } from '../round/context.ts'
import { type Draft, halt } from '../state/draft.ts'
import { keep } from '../state/keep.ts'
import { isOfRound } from './hear.ts'
import { commitTo } from './vote.ts'

/** From this many rounds behind, a member takes a checkpoint of the model instead of every round's shards. */
const CHECKPOINT_AFTER_ROUNDS = 16

/** Rule 16 *Catch-up*: how far behind a member must be to take a checkpoint: older blocks may be pruned everywhere. */
export function checkpointDistance({ charter }: Pick<RoundContext, 'charter'>): number {
  return Math.min(CHECKPOINT_AFTER_ROUNDS, charter.retain)
}

/** Rule 16 *Catch-up*: adopts a round that others sealed: this peer builds it and follows. */
export function adopt(draft: Draft, sealedRound: SealedRound): void {
  const { seal, cut, manifests } = sealedRound
  if (!isOfRound(draft, seal)) return
  if (draft.sealedRound !== undefined) {
    const known = draft.sealedRound.seal
    if (!isSameSeal(known, seal)) halt(draft, describeConflict(draft.context, known, seal))
    return
  }
  if (draft.committed !== undefined && !equalBytes(draft.committed.id, seal.cut)) {
    halt(
      draft,
      `round ${seal.round} was sealed with cut ${hex(seal.cut)}, but ${hex(draft.committed.id)} was committed`
    )
    return
  }
  draft.sealedRound = sealedRound
  for (const manifest of manifests) keep(draft, manifest, () => true)
  if (draft.committed === undefined) commitTo(draft, seal.cut, cut)
}

/** Rule 16 *Catch-up*: from now on, follows rounds up to `through` by their seals alone. */
export function followThrough(draft: Draft, through: number): void {
  draft.historyThrough = Math.max(draft.historyThrough, through)
}
