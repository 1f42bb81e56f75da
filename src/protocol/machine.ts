import { memberIndex, type RoundContext } from './charter/round-context.ts'
import { equalBytes, hex } from './encoding/bytes.ts'
import type { Signer, Verify } from './encoding/signature.ts'
import { describeConflict, isSameSeal } from './history/conflicting-seals.ts'
import { contextAfter, type SealedRound } from './history/sealed-round.ts'
import type { Kind, Manifest } from './messages/bodies.ts'
import { offenderOf } from './messages/evidence.ts'
import { sameDigest } from './messages/identifiers.ts'
import { isKind, judge } from './messages/judge.ts'
import { decodeEnvelope, MESSAGE_BYTES_MAX, type Message, signMessage } from './messages/message.ts'
import { attest, build, seal } from './rules/attest.ts'
import { acceptCertificate, certify, endorse, fetchManifests } from './rules/endorse.ts'
import { learnEvidence, spreadEvidence } from './rules/evidence.ts'
import { noteRequest, openRequests, voteOnMembership } from './rules/membership-vote.ts'
import { propose } from './rules/propose.ts'
import { beginGathering, sayReady } from './rules/ready.ts'
import { heldOutFault, manifestFault } from './rules/validate.ts'
import { commit, commitTo, startView, vote } from './rules/vote.ts'
import { beginRound } from './state/begin-round.ts'
import { countOf, type Draft, halt, hold, keep, say } from './state/draft.ts'
import { type Effect, type LogRecord, UNKNOWN_ROUND } from './state/effects.ts'
import type { PeerEvent } from './state/events.ts'
import { isNeeded } from './state/needed.ts'
import { initialState, type PeerState, stateOf } from './state/state.ts'

/** Envelopes of the next round that are kept of one author until that round begins. */
const EARLY_MAX = 8
/** Bytes of next-round envelopes that are kept of one author: a manifest, a proposal, and small ones. */
const EARLY_BYTES_MAX = 2 * MESSAGE_BYTES_MAX

/** What a peer brings to every step: its key and the judge of signatures. */
export interface Environment {
  readonly signer: Signer
  readonly verify: Verify
  /**
   * The own clock at this step, in whole milliseconds, from any start; it never goes back. Deadlines follow what it shows
   * (rule 5 *Vote*); without one they are the charter's.
   */
  readonly now?: number
}

/** A state and what is to be done to make it true outside. */
export interface Step {
  readonly state: PeerState
  readonly effects: readonly Effect[]
}

/** Begins a consortium's first round, or any other, with nothing remembered. */
export function start(context: RoundContext, environment: Environment): Step {
  return restore(context, [], environment)
}

/**
 * Begins after a restart, from what the log kept. A peer that lost sealed rounds may begin before rounds that its log
 * still knows: when it comes to one of them again, it goes on there and signs nothing anew.
 *
 * @param records the log's records, oldest first
 */
export function restore(
  context: RoundContext,
  records: readonly LogRecord[],
  environment: Environment
): Step {
  const state = initialState(context, environment.signer.peer, records)
  const draft: Draft = { ...state, ...environment, effects: [] }
  beginRound(draft)
  applyRules(draft)
  return finish(draft)
}

/**
 * The round protocol: one event in, the next state and its effects out. Pure; signatures come from the environment's
 * deterministic signer. The effects are to be carried out in their order.
 */
export function step(state: PeerState, event: PeerEvent, environment: Environment): Step {
  if (state.halted !== undefined) return { state, effects: [] }
  const { signer, verify, now } = environment
  const draft: Draft = { ...state, signer, verify, now, effects: [] }
  take(draft, event)
  // The rules ran to their end in the step before: where nothing changed since, nothing follows.
  const isHeard = draft.messages !== state.messages
  if (draft.effects.length > 0 || hasChanged(state, draft, draft.messages)) applyRules(draft)
  else if (!isHeard) return { state, effects: [] }
  else if (event.type !== 'message' || readAlone(state, draft, event.message.kind)) applyRules(draft)
  return finish(draft)
}

type BlocksHeld = Extract<PeerEvent, { type: 'blocksHeld' }>

function finish(draft: Draft): Step {
  return { state: stateOf(draft), effects: draft.effects }
}

function take(draft: Draft, event: PeerEvent): void {
  switch (event.type) {
    case 'message':
      // The round may have ended between the judgement and this step.
      if (!isOfRound(draft, event.message.header)) break
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
    case 'trained':
      if (event.round !== draft.context.round || draft.phase !== 'training') break
      publish(draft, event.manifest)
      beginGathering(draft)
      break
    case 'trainingFailed':
      if (event.round === draft.context.round && draft.phase === 'training') beginGathering(draft)
      break
    case 'blocksHeld':
      takeBlocks(draft, event)
      break
    case 'built':
      if (draft.committed === undefined || !equalBytes(event.cut, draft.committed.id)) break
      draft.building = false
      draft.built = { stack: event.stack, model: event.model }
      break
    case 'rebuilt':
      if (draft.diverged && equalBytes(event.model, draft.context.modelDigest)) comeBack(draft)
      break
    case 'recollected':
      recollect(draft, event.through)
      break
    case 'conflict':
      halt(draft, event.reason)
      break
    case 'membershipRequest':
      noteRequest(draft, event.signedRequest)
      break
    case 'timeout':
      if (event.round !== draft.context.round) break
      draft.expired = new Set(draft.expired).add(event.timer)
      if (event.timer === 'train' && draft.phase === 'training') {
        draft.effects.push({ type: 'cancelTraining' })
        beginGathering(draft)
      }
      break
  }
}

/** Keeps a message within the bounds; of evidence the first about an offender is enough. */
function hear(draft: Draft, message: Message): void {
  if (isKind(message, 'evidence')) {
    if (draft.evidence.has(hex(offenderOf(message.body)))) return
    learnEvidence(draft, message.body)
  }
  keep(draft, message, (one) => isNeeded(draft, one))
}

/** Rule 2 *Validate*: notes whether what is held now may be endorsed. */
function takeBlocks(draft: Draft, { manifest, fault, heldOut }: BlocksHeld): void {
  if (draft.holdings.get(hex(manifest)) !== 'fetching') return
  const reason = fault ?? heldOutFault(draft.context, heldOut)
  hold(draft, manifest, reason === undefined ? 'valid' : 'invalid')
  if (reason !== undefined) draft.effects.push({ type: 'refused', manifest, reason })
}

/** Signs the own manifest, unless others would have to refuse it: too long a message would be held against its sender. */
function publish(draft: Draft, manifest: Manifest): void {
  const { bytes } = signMessage(draft.context, draft.signer, 'manifest', 0, manifest)
  const reason =
    bytes.length > MESSAGE_BYTES_MAX
      ? `the manifest takes ${bytes.length} bytes, a message at most ${MESSAGE_BYTES_MAX}: adapt fewer modules or a lower rank`
      : manifestFault(draft.context, draft.self, manifest)
  if (reason === undefined) say(draft, 'manifest', 0, manifest)
  else draft.effects.push({ type: 'unpublished', reason })
}

/** Rule 8 *Attest*: the sealed model is here again; who is still in time trains. */
function comeBack(draft: Draft): void {
  draft.diverged = false
  if (draft.phase === 'training') draft.effects.push({ type: 'train', context: draft.context })
}

/** Ends a silence of unknown length: from now on its last round is known, and logged. */
function recollect(draft: Draft, through: number): void {
  if (draft.silentThrough !== UNKNOWN_ROUND) return
  draft.silentThrough = through
  draft.effects.push({ type: 'persist', record: { type: 'silent', through } })
}

/** Takes over a seal that others made: this peer builds what was sealed and follows. */
function adopt(draft: Draft, sealedRound: SealedRound): void {
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

function isOfRound({ context }: Draft, { round, parent }: { round: number; parent: Uint8Array }): boolean {
  return round === context.round && equalBytes(parent, context.parent)
}

function keepEarly(draft: Draft, author: Uint8Array, bytes: Uint8Array): void {
  const kept = draft.early.get(hex(author)) ?? []
  const held = kept.reduce((sum, { length }) => sum + length, 0)
  if (kept.length >= EARLY_MAX || held + bytes.length > EARLY_BYTES_MAX) return
  if (kept.some((known) => equalBytes(known, bytes))) return
  draft.early = new Map(draft.early).set(hex(author), [...kept, bytes])
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

/** Runs every rule, in their order, until none changes anything: each does its part once, and only when its time has come. */
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
 * Lets the rules act that read messages of this kind, where one message is all that is new since all of them last ran:
 * most messages change nothing, and until a rule that reads their kind does something, no other has anything to do.
 *
 * @returns whether one of them did something, so that all have to run again; they go on where it left off
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

/** Whether anything differs from what it was before, when its messages were these. */
function hasChanged(before: PeerState, after: Draft, messages: PeerState['messages']): boolean {
  if (after.messages !== messages) return true
  for (const key in before)
    if (before[key as keyof PeerState] !== after[key as keyof PeerState] && key !== 'messages') return true
  return false
}

/** `deciding` starts at q readies (rule 3 *Ready*). */
function beginDeciding(draft: Draft): void {
  if (draft.view >= 0 || draft.committed !== undefined) return
  if (countOf(draft, 'ready', 0) < draft.context.quorum) return
  if (draft.phase === 'training') draft.effects.push({ type: 'cancelTraining' })
  draft.phase = 'deciding'
  startView(draft, 0)
}

/**
 * Goes on to the next round once the round is sealed and the own build is done. Where that is not the sealed one, this
 * member goes on voting, and has to rebuild (rule 8 *Attest*); while it does, it follows without a build.
 */
function advance(draft: Draft): void {
  const { sealedRound, built, context } = draft
  if (sealedRound === undefined || (built === undefined && !draft.diverged)) return
  let { diverged } = draft
  if (built !== undefined) {
    const { stack, model } = sealedRound.seal
    const isSealed = sameDigest(built.stack, stack) && equalBytes(built.model, model)
    diverged = !isSealed
    if (diverged) draft.effects.push({ type: 'diverged', context, sealedRound, built: built.model })
  }
  draft.effects.push({ type: 'sealed', context, sealedRound })
  const next = contextAfter(context, sealedRound)
  const { early, remembered, evidence, requests, silentThrough, delays } = draft
  Object.assign(draft, initialState(next, draft.signer.peer, remembered))
  draft.evidence = new Map(
    [...evidence].filter(([, { first }]) => memberIndex(next, first.header.author) >= 0)
  )
  draft.silentThrough = silentThrough
  draft.diverged = diverged
  draft.delays = delays
  draft.requests = requests
  draft.requests = openRequests(draft)
  beginRound(draft)
  for (const bytes of [...early.values()].flat()) {
    const judgement = judge(next, decodeEnvelope(bytes), draft.verify)
    if (judgement.verdict === 'accept') hear(draft, judgement.message)
  }
}
