import { equalBytes } from './encoding/bytes.ts'
import type { Signer, Verify } from './encoding/signature.ts'
import type { Kind } from './messages/header.ts'
import type { RoundContext } from './round/context.ts'
import { advance, comeBack } from './rules/advance.ts'
import { attest, build, seal } from './rules/attest.ts'
import { beginRound } from './rules/begin-round.ts'
import { adopt, followThrough } from './rules/catch-up.ts'
import { acceptCertificate, certify, endorse, fetchManifests, takeBlocks } from './rules/endorse.ts'
import { spreadEvidence } from './rules/evidence.ts'
import { hear, keepEarly } from './rules/hear.ts'
import { recollect, release } from './rules/lost-log.ts'
import { noteRequest, voteOnMembership } from './rules/membership-vote.ts'
import { propose } from './rules/propose.ts'
import { publish } from './rules/publish.ts'
import { beginGathering, sayReady } from './rules/ready.ts'
import { beginDeciding, commit, vote } from './rules/vote.ts'
import { type Draft, halt } from './state/draft.ts'
import type { Effect, LogRecord } from './state/effects.ts'
import type { PeerEvent } from './state/events.ts'
import { initialState, type PeerState, stateOf } from './state/state.ts'

/** A peer's inputs to every step: its key and the verifier of signatures. */
export interface Environment {
  readonly signer: Signer
  readonly verify: Verify
  /**
   * This peer's clock at this step, in whole milliseconds from any origin; it never goes back. Deadlines adapt to it
   * (rule 5 *Vote*); without a clock the charter's apply.
   */
  readonly now?: number
}

/** A state, and the effects that the shell has to carry out. */
export interface Step {
  readonly state: PeerState
  readonly effects: readonly Effect[]
}

/** Begins a consortium's first round, or any other, with an empty log. */
export function start(context: RoundContext, environment: Environment): Step {
  return restore(context, [], environment)
}

/**
 * Begins after a restart, from the log. A peer that lost sealed rounds may begin before rounds that its log still
 * knows: when it reaches one of them again, it continues there and signs nothing new.
 *
 * @param records the log's records, oldest first
 * @param heldBack whether this peer signs nothing until the event `released` (rule 17 *Lost log*)
 */
export function restore(
  context: RoundContext,
  records: readonly LogRecord[],
  environment: Environment,
  heldBack = false
): Step {
  const state = { ...initialState(context, environment.signer.peer, records), heldBack }
  const draft: Draft = { ...state, ...environment, effects: [] }
  beginRound(draft)
  applyRules(draft)
  return finish(draft)
}

/**
 * The round protocol: takes one event, and returns the next state and its effects, to be carried out in order. Pure;
 * signatures come from the environment's deterministic signer.
 */
export function step(state: PeerState, event: PeerEvent, environment: Environment): Step {
  if (state.halted !== undefined) return { state, effects: [] }
  const { signer, verify, now } = environment
  const draft: Draft = { ...state, signer, verify, now, effects: [] }
  take(draft, event)
  // In the previous step, the rules ran until nothing changed: without a change there is nothing to do.
  const isHeard = draft.messages !== state.messages
  if (draft.effects.length > 0 || hasChanged(state, draft, draft.messages)) applyRules(draft)
  else if (!isHeard) return { state, effects: [] }
  else if (event.type !== 'message' || readAlone(state, draft, event.message.kind)) applyRules(draft)
  return finish(draft)
}

function finish(draft: Draft): Step {
  return { state: stateOf(draft), effects: draft.effects }
}

/** Applies an event; the rules act on it afterwards. */
function take(draft: Draft, event: PeerEvent): void {
  switch (event.type) {
    case 'message':
      hear(draft, event.message)
      break
    case 'early':
      keepEarly(draft, event.author, event.bytes)
      break
    case 'certificate':
      if (event.round === draft.context.round) acceptCertificate(draft, event.certificate)
      break
    case 'sealedRound':
      adopt(draft, event.sealedRound)
      break
    case 'behind':
      followThrough(draft, event.through)
      break
    case 'blocksHeld':
      takeBlocks(draft, event)
      break
    case 'rebuilt':
      comeBack(draft, event.model)
      break
    case 'recollected':
      recollect(draft, event.through)
      break
    case 'released':
      release(draft)
      break
    case 'conflict':
      halt(draft, event.reason)
      break
    case 'membershipRequest':
      noteRequest(draft, event.signedRequest)
      break
    default:
      takeWork(draft, event)
      break
  }
}

type WorkEvent = Extract<PeerEvent, { type: 'trained' | 'trainingFailed' | 'built' | 'timeout' }>

/** Applies the results of this peer's own work, and timeouts. */
function takeWork(draft: Draft, event: WorkEvent): void {
  if (event.type === 'built') {
    if (draft.committed === undefined || !equalBytes(event.cut, draft.committed.id)) return
    draft.building = false
    draft.built = { stack: event.stack, model: event.model }
    return
  }
  if (event.round !== draft.context.round) return
  if (event.type === 'timeout') draft.expired = new Set(draft.expired).add(event.timer)
  if (draft.phase !== 'training') return
  if (event.type === 'timeout' && event.timer !== 'train') return
  if (event.type === 'timeout') draft.effects.push({ type: 'cancelTraining' })
  if (event.type === 'trained') publish(draft, event.manifest)
  beginGathering(draft)
}

/** A rule, and the kinds of messages that may give it something to do. */
type Rule = readonly [apply: (draft: Draft) => void, reads: readonly Kind[]]

const RULES: readonly Rule[] = [
  [spreadEvidence, ['evidence']],
  [voteOnMembership, ['membership-vote']],
  [fetchManifests, ['manifest']],
  [endorse, ['manifest']],
  [certify, ['endorsement']],
  [sayReady, ['ready']],
  [beginDeciding, ['ready']],
  [propose, ['ready']],
  [vote, ['proposal', 'prevote', 'precommit']],
  [commit, ['proposal', 'precommit']],
  [build, ['manifest']],
  [attest, ['attestation']],
  [seal, ['manifest', 'attestation']],
  [advance, []]
]

/** Runs all rules, in order, until none changes anything: each acts once, when its condition holds. */
function applyRules(draft: Draft): void {
  for (let before: Draft | undefined; before === undefined || hasChanged(before, draft, before.messages); ) {
    before = { ...draft }
    for (const [apply] of RULES) {
      if (draft.halted !== undefined) return
      apply(draft)
    }
  }
}

/**
 * Runs the rules that read messages of this kind, if a single message is all that is new since all rules last ran: most
 * messages change nothing, and until a rule that reads their kind acts, no other rule has anything to do.
 *
 * @returns whether one of them acted, so that all have to run again; they continue where it left off
 */
function readAlone(before: PeerState, draft: Draft, kind: Kind): boolean {
  const { messages } = draft
  let isChanged = false
  for (const [apply, reads] of RULES) {
    if (!isChanged && !reads.includes(kind)) continue
    if (draft.halted !== undefined) return false
    apply(draft)
    isChanged ||= draft.effects.length > 0 || hasChanged(before, draft, messages)
  }
  return isChanged
}

/** Whether anything differs from `before`, whose messages count as `messages`. */
function hasChanged(before: PeerState, after: Draft, messages: PeerState['messages']): boolean {
  if (after.messages !== messages) return true
  for (const key in before)
    if (before[key as keyof PeerState] !== after[key as keyof PeerState] && key !== 'messages') return true
  return false
}
