import { equalBytes, hex, sameDigest } from '../encoding/bytes.ts'
import { encodeCanonical } from '../encoding/canonical-cbor.ts'
import { groupBy } from '../encoding/group-by.ts'
import type { Attestation, Seal } from '../messages/bodies.ts'
import { ATTEMPTS_MAX } from '../messages/judge.ts'
import type { Message } from '../messages/message.ts'
import { memberIndex } from '../round/context.ts'
import { type Draft, halt } from '../state/draft.ts'
import { say } from '../state/say.ts'
import { firstOf, manifestOf, messagesOf } from '../state/slots.ts'
import { followsHistory, isHeld } from '../state/state.ts'

/** The committed cut's manifests, in its order, once all of them and all their blocks are held. */
function manifestsOfCut(draft: Draft): Message<'manifest'>[] | undefined {
  const manifests: Message<'manifest'>[] = []
  for (const { author, manifest: id } of draft.committed?.cut.entries ?? []) {
    const manifest = manifestOf(draft, memberIndex(draft.context, author), id)
    if (manifest === undefined || !isHeld(draft, id)) return undefined
    manifests.push(manifest)
  }
  return manifests
}

/** Requests the stack as soon as everything in the cut is held. */
export function build(draft: Draft): void {
  if (draft.committed === undefined || draft.building || draft.built !== undefined) return
  if (draft.diverged || followsHistory(draft)) return
  const manifests = manifestsOfCut(draft)
  if (manifests === undefined) return
  draft.building = true
  const { cut, id } = draft.committed
  draft.effects.push({ type: 'build', context: draft.context, cut, cutId: id, manifests })
}

/**
 * Rule 8 *Attest*: signs the digests that were built. A member that attested other digests before, as its log shows,
 * corrects itself in the next attempt; the cut is always the same.
 */
export function attest(draft: Draft): void {
  if (draft.committed === undefined || draft.built === undefined) return
  if (draft.phase === 'stacking') draft.phase = 'sealing'
  if (draft.sealedRound !== undefined) return
  const body: Attestation = { cut: draft.committed.id, ...draft.built }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const said = firstOf(draft, 'attestation', attempt, draft.self)
    if (said !== undefined && !equalBytes(said.body.cut, body.cut)) {
      halt(draft, `${hex(body.cut)} is committed, but this peer attested ${hex(said.body.cut)} before`)
      return
    }
    if (said === undefined) say(draft, 'attestation', attempt, body)
    if (said === undefined || isSame(said.body, body)) return
  }
}

function isSame(left: Attestation, right: Attestation): boolean {
  return (
    equalBytes(left.cut, right.cut) &&
    sameDigest(left.stack, right.stack) &&
    equalBytes(left.model, right.model)
  )
}

/** Every member's attestation of its highest attempt. */
function latestAttestations(draft: Draft): Map<number, Message<'attestation'>> {
  const latest = new Map<number, Message<'attestation'>>()
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    for (const message of messagesOf(draft, 'attestation', attempt)) latest.set(message.author, message)
  }
  return latest
}

/**
 * A quorum of equal attestations is the seal. If all members attested and no quorum agrees, the peer halts for an
 * operator.
 */
export function seal(draft: Draft): void {
  if (draft.sealedRound !== undefined || draft.committed === undefined) return
  const latest = latestAttestations(draft)
  if (latest.size < draft.context.quorum) return
  const groups = groupBy(latest.values(), ({ body }) => hex(encodeCanonical(body)))
  const agreed = [...groups.values()].find((group) => group.length >= draft.context.quorum)
  if (agreed === undefined) {
    if (latest.size === draft.context.voters.length)
      halt(
        draft,
        `all ${latest.size} members attested round ${draft.context.round} and no ${draft.context.quorum} of them agree`
      )
    return
  }
  if (!equalBytes(agreed[0]!.body.cut, draft.committed.id)) {
    halt(
      draft,
      `a quorum attested cut ${hex(agreed[0]!.body.cut)}, but ${hex(draft.committed.id)} was committed`
    )
    return
  }
  const manifests = manifestsOfCut(draft)
  if (manifests === undefined) return
  const sorted = agreed.toSorted((left, right) => left.author - right.author)
  const made: Seal = {
    round: draft.context.round,
    parent: draft.context.parent,
    ...agreed[0]!.body,
    attestations: sorted.map(({ author, slot, signature }) => ({ member: author, attempt: slot, signature }))
  }
  draft.sealedRound = { seal: made, cut: draft.committed.cut, manifests }
}
