import { proposerOf } from '../charter/round-context.ts'
import { equalBytes } from '../encoding/bytes.ts'
import type { Cut, Proposal } from '../messages/bodies.ts'
import { cutId } from '../messages/identifiers.ts'
import {
  countOf,
  type Draft,
  keptOf,
  messagesOf,
  say,
  startTimer,
  tallyOf,
  votesFor
} from '../state/draft.ts'
import { deadlinesOf, noteDelays, noteMoment } from './deadline.ts'
import { judgeFreshProposal } from './propose.ts'

/**
 * Rule 5 *Vote*: Tendermint on the cut, after Buchman, Kwon, Milosevic, "The latest gossip on BFT consensus"
 * (arXiv 1807.04938, algorithm 1); the line numbers below are that algorithm's. Its round is our view.
 */
export function vote(draft: Draft): void {
  if (draft.view < 0 || draft.committed !== undefined) return
  jump(draft)
  prevote(draft)
  lock(draft)
  startVoteTimers(draft)
}

/** Begins a view (StartRound, line 11); the proposer's part is rule 4. */
export function startView(draft: Draft, view: number): void {
  draft.view = view
  draft.step = 'propose'
  noteMoment(draft, `view/${view}`)
  startTimer(draft, `propose/${view}`, viewTimeout(draft, deadlinesOf(draft).proposeMs))
}

/** How long a timer of the current view runs, milliseconds. */
function viewTimeout({ view, context }: Draft, milliseconds: number): number {
  return milliseconds + view * context.charter.timeouts.growthMs
}

/** f+1 members in higher views: jump (line 55). */
function jump(draft: Draft): void {
  const highest = new Map<number, number>()
  for (const [key, slot] of draft.messages) {
    if (!key.startsWith('pre') && !key.startsWith('proposal/')) continue
    const view = viewOf(key)
    if (view <= draft.view) continue
    for (const author of slot.keys()) highest.set(author, Math.max(highest.get(author) ?? -1, view))
  }
  if (highest.size === 0) return
  const reached = [...highest.values()].sort((left, right) => right - left)[draft.context.faulty]
  if (reached !== undefined && reached > draft.view) startView(draft, reached)
}

/** The view of the key of a proposal's or a vote's slot. */
function viewOf(key: string): number {
  return Number(key.slice(key.indexOf('/') + 1))
}

/** What its proposer proposed in a view, with the ids of the cuts: one proposal, or a faulty member's two. */
function proposalsOf(draft: Draft, view: number): { proposal: Proposal; id: Uint8Array }[] {
  return keptOf(draft, 'proposal', view, proposerOf(draft.context, view)).map(({ body }) => ({
    proposal: body,
    id: cutId(draft.context, body.cut)
  }))
}

/** Prevotes for the view's proposal (lines 22 and 28), or for none when the proposer took too long (line 57). */
function prevote(draft: Draft): void {
  if (draft.step !== 'propose') return
  const current = proposalsOf(draft, draft.view)[0]
  const opinion = current === undefined ? 'waiting' : opinionOf(draft, current.proposal, current.id)
  if (opinion === 'waiting' && !draft.expired.has(`propose/${draft.view}`)) return
  if (opinion === 'for') noteMoment(draft, `prevoted/${draft.view}`)
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
  // A quorum of prevotes holds an honest member that checked the readies: their certificates need not be waited for.
  const checked = votesFor(draft, 'prevote', view, id) >= quorum
  const judgement = checked ? 'valid' : judgeFreshProposal(draft, proposal)
  if (judgement === 'waiting') return 'waiting'
  return judgement === 'valid' && isUnlocked ? 'for' : 'against'
}

/** Precommits what a quorum prevoted (line 36), or none (lines 44 and 61). */
function lock(draft: Draft): void {
  const { view, context } = draft
  if (draft.step === 'propose') return
  // Any of the view's proposals: the first that came here need not be the one that the others saw.
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
  if (cut !== null) noteMoment(draft, `precommitted/${draft.view}`)
  say(draft, 'precommit', draft.view, { cut })
  draft.step = 'precommit'
}

/**
 * Starts the timers of line 34 and line 47; the latter's end begins the next view (line 65). It is the charter's, the
 * same for everybody: a member whose own time were shorter would be gone from each view before the others come.
 */
function startVoteTimers(draft: Draft): void {
  const { quorum, charter } = draft.context
  const { view } = draft
  if (draft.step === 'prevote' && countOf(draft, 'prevote', view) >= quorum)
    startTimer(draft, `prevote/${view}`, viewTimeout(draft, deadlinesOf(draft).voteMs))
  if (countOf(draft, 'precommit', view) >= quorum)
    startTimer(draft, `precommit/${view}`, viewTimeout(draft, charter.timeouts.voteMs))
  if (draft.expired.has(`precommit/${view}`)) startView(draft, view + 1)
}

/** A quorum of precommits for one cut whose body is here, in whatever view: it is decided (line 49). */
export function commit(draft: Draft): void {
  if (draft.committed !== undefined) return
  const { quorum } = draft.context
  const views: number[] = []
  for (const [key, slot] of draft.messages)
    if (key.startsWith('precommit/') && slot.size >= quorum) views.push(viewOf(key))
  const isAgreed = (view: number) =>
    tallyOf(draft, 'precommit', view).some(({ cut, votes }) => cut !== null && votes >= quorum)
  const counted = views.filter(isAgreed)
  if (counted.length === 0) return
  const proposals = [...draft.messages].filter(([key]) => key.startsWith('proposal/'))
  const cuts = proposals.flatMap(([, slot]) =>
    [...slot.values()].flat().map(({ body }) => (body as Proposal).cut)
  )
  for (const cut of draft.valid === undefined ? cuts : [draft.valid.cut, ...cuts]) {
    const id = cutId(draft.context, cut)
    if (!counted.some((view) => votesFor(draft, 'precommit', view, id) >= quorum)) continue
    commitTo(draft, id, cut)
    noteDelays(draft)
    return
  }
}

/** Takes a cut as decided; training for this round has lost its purpose. */
export function commitTo(draft: Draft, id: Uint8Array, cut: Cut): void {
  if (draft.phase === 'training') draft.effects.push({ type: 'cancelTraining' })
  draft.committed = { id, cut }
  draft.phase = 'stacking'
}
