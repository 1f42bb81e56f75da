import { equalBytes } from '../encoding/bytes.ts'
import type { Cut, Proposal } from '../messages/bodies.ts'
import { cutId } from '../messages/cut.ts'
import { type Header, VIEW_KINDS } from '../messages/header.ts'
import { memberIndex } from '../round/context.ts'
import { proposerOf } from '../round/proposer.ts'
import { type Draft, startTimer } from '../state/draft.ts'
import type { PeerEvent } from '../state/events.ts'
import { say } from '../state/say.ts'
import { allSlots, countOf, keptOf, messagesOf, slotsOf } from '../state/slots.ts'
import type { PeerState } from '../state/state.ts'
import { tallyOf, votesFor } from '../state/tally.ts'
import { isGone } from './give-up.ts'
import { deadlinesOf, noteDelays, noteViewMoment } from './measure.ts'
import { judgeFreshProposal } from './propose.ts'

/**
 * Rule 5 *Vote*: Tendermint on the cut, after Buchman, Kwon, Milosevic, "The latest gossip on BFT consensus" (arXiv
 * 1807.04938, algorithm 1); the line numbers below refer to that algorithm. Its round is our view.
 */
export function vote(draft: Draft): void {
  if (draft.view < 0 || draft.committed !== undefined) return
  jump(draft)
  prevote(draft)
  lock(draft)
  startVoteTimers(draft)
}

/**
 * Reacts to a message that its author should not have signed: a proposer whose proposal cannot be valid is not waited
 * for in that view, as if its time were over.
 */
export function afterFault(
  { context, view }: Pick<PeerState, 'context' | 'view'>,
  { kind, round, slot, author, parent }: Header
): PeerEvent | undefined {
  if (kind !== 'proposal' || round !== context.round || !equalBytes(parent, context.parent)) return undefined
  const isNear = slot >= view && slot <= Math.max(view, 0) + 1
  if (!isNear || proposerOf(context, slot) !== memberIndex(context, author)) return undefined
  return { type: 'timeout', round, timer: `propose/${slot}` }
}

/** Begins a view (StartRound, line 11); the proposer's part is rule 4. */
export function startView(draft: Draft, view: number): void {
  draft.view = view
  draft.step = 'propose'
  noteViewMoment(draft, 'began')
  startTimer(draft, `propose/${view}`, viewTimeout(draft, deadlinesOf(draft).proposeMs))
}

/** Duration of a timer of the current view, milliseconds. */
function viewTimeout({ view, context }: Draft, milliseconds: number): number {
  return milliseconds + view * context.charter.timeouts.growthMs
}

/** f+1 members in higher views: jump (line 55). */
function jump(draft: Draft): void {
  const highest = new Map<number, number>()
  for (const { kind, slot: view, byAuthor } of allSlots(draft)) {
    if (!VIEW_KINDS.has(kind) || view <= draft.view) continue
    for (const author of byAuthor.keys()) highest.set(author, Math.max(highest.get(author) ?? -1, view))
  }
  if (highest.size === 0) return
  const reached = [...highest.values()].sort((left, right) => right - left)[draft.context.faulty]
  if (reached !== undefined && reached > draft.view) startView(draft, reached)
}

/** The proposals of a view's proposer, with the ids of their cuts: one, or two from a faulty member. */
function proposalsOf(draft: Draft, view: number): { proposal: Proposal; id: Uint8Array }[] {
  return keptOf(draft, 'proposal', view, proposerOf(draft.context, view)).map(({ body }) => ({
    proposal: body,
    id: cutId(draft.context, body.cut)
  }))
}

/** Prevotes for the view's proposal (lines 22 and 28), or against it when the proposer took too long (line 57). */
function prevote(draft: Draft): void {
  if (draft.step !== 'propose') return
  const current = proposalsOf(draft, draft.view)[0]
  const opinion = current === undefined ? 'waiting' : opinionOf(draft, current.proposal, current.id)
  // A proposer that has not been heard for rounds is not waited for: prevoting none is always safe.
  const isOver =
    draft.expired.has(`propose/${draft.view}`) || isGone(draft, proposerOf(draft.context, draft.view))
  if (opinion === 'waiting' && !isOver) return
  if (opinion === 'for') noteViewMoment(draft, 'prevoted')
  say(draft, 'prevote', draft.view, { cut: opinion === 'for' ? current!.id : null })
  draft.step = 'prevote'
}

function opinionOf(draft: Draft, proposal: Proposal, id: Uint8Array): 'for' | 'against' | 'waiting' {
  const { locked, view } = draft
  const { quorum } = draft.context
  const { validView } = proposal
  const isUnlocked = locked === undefined || equalBytes(locked.id, id)
  if (validView >= 0) {
    if (votesFor(draft, 'prevote', validView, id) < quorum) return 'waiting'
    return isUnlocked || locked.view <= validView ? 'for' : 'against'
  }
  // A quorum of prevotes includes an honest member that checked the readies: their certificates need not be held here.
  const checked = votesFor(draft, 'prevote', view, id) >= quorum
  const judgement = checked ? 'valid' : judgeFreshProposal(draft, proposal)
  if (judgement === 'waiting') return 'waiting'
  return judgement === 'valid' && isUnlocked ? 'for' : 'against'
}

/** Precommits what a quorum prevoted (line 36), or none (lines 44 and 61). */
function lock(draft: Draft): void {
  const { view, context } = draft
  if (draft.step === 'propose') return
  // Any of the view's proposals: the first to arrive here need not be the one that the others prevoted.
  const agreed = proposalsOf(draft, view).find(
    ({ id }) => votesFor(draft, 'prevote', view, id) >= context.quorum
  )
  if (agreed !== undefined) {
    makeValid(draft, view, agreed.id, agreed.proposal.cut)
    if (draft.step === 'prevote') {
      draft.locked = { view, id: agreed.id }
      precommit(draft, agreed.id)
    }
  } else if (draft.step === 'prevote') {
    const isAgainst = votesFor(draft, 'prevote', view, null) >= context.quorum
    const isOver = draft.expired.has(`prevote/${view}`)
    if (isAgainst || isOver) precommit(draft, null)
  }
}

function makeValid(draft: Draft, view: number, id: Uint8Array, cut: Cut): void {
  if (draft.valid !== undefined && draft.valid.view >= view) return
  draft.valid = { view, id, cut }
  const prevotes = messagesOf(draft, 'prevote', view)
    .filter(({ body }) => body.cut !== null && equalBytes(body.cut, id))
    .map(({ bytes }) => bytes)
  draft.effects.push({
    type: 'persist',
    record: { type: 'valid', round: draft.context.round, view, cut, prevotes }
  })
}

function precommit(draft: Draft, cut: Uint8Array | null): void {
  if (cut !== null) noteViewMoment(draft, 'precommitted')
  say(draft, 'precommit', draft.view, { cut })
  draft.step = 'precommit'
}

/**
 * Starts the timers of line 34 and line 47; the end of the latter begins the next view (line 65). It follows the charter
 * alone, the same for every member: a member with a shorter time would leave each view before the others reach it. Only
 * where nothing is decided, for want of a proposer that has not been heard for rounds, nobody waits for it.
 */
function startVoteTimers(draft: Draft): void {
  const { quorum, charter } = draft.context
  const { view } = draft
  if (draft.step === 'prevote' && countOf(draft, 'prevote', view) >= quorum)
    startTimer(draft, `prevote/${view}`, viewTimeout(draft, deadlinesOf(draft).voteMs))
  if (countOf(draft, 'precommit', view) >= quorum)
    startTimer(draft, `precommit/${view}`, viewTimeout(draft, charter.timeouts.voteMs))
  const isVain =
    isGone(draft, proposerOf(draft.context, view)) && votesFor(draft, 'precommit', view, null) >= quorum
  if (isVain || draft.expired.has(`precommit/${view}`)) startView(draft, view + 1)
}

/** A quorum of precommits, in any view, for a cut whose body is known: it is decided (line 49). */
export function commit(draft: Draft): void {
  if (draft.committed !== undefined) return
  const { quorum } = draft.context
  const views = slotsOf(draft, 'precommit')
    .filter(({ byAuthor }) => byAuthor.size >= quorum)
    .map(({ slot }) => slot)
  const isAgreed = (view: number) =>
    tallyOf(draft, 'precommit', view).some(({ cut, votes }) => cut !== null && votes >= quorum)
  const counted = views.filter(isAgreed)
  if (counted.length === 0) return
  const cuts = slotsOf(draft, 'proposal').flatMap(({ byAuthor }) =>
    [...byAuthor.values()].flat().map(({ body }) => body.cut)
  )
  for (const cut of draft.valid === undefined ? cuts : [draft.valid.cut, ...cuts]) {
    const id = cutId(draft.context, cut)
    if (!counted.some((view) => votesFor(draft, 'precommit', view, id) >= quorum)) continue
    commitTo(draft, id, cut)
    noteDelays(draft)
    return
  }
}

/** Commits a cut; training for this round ends. */
export function commitTo(draft: Draft, id: Uint8Array, cut: Cut): void {
  if (draft.phase === 'training') draft.effects.push({ type: 'cancelTraining' })
  draft.committed = { id, cut }
  draft.phase = 'stacking'
}

/** `deciding` begins with q readies (rule 3 *Ready*). */
export function beginDeciding(draft: Draft): void {
  if (draft.view >= 0 || draft.committed !== undefined) return
  if (countOf(draft, 'ready', 0) < draft.context.quorum) return
  if (draft.phase === 'training') draft.effects.push({ type: 'cancelTraining' })
  draft.phase = 'deciding'
  startView(draft, 0)
}
