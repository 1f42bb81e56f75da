import { equalBytes, hex } from '../encoding/bytes.ts'
import { groupBy } from '../encoding/group-by.ts'
import type { Certificate } from '../messages/bodies.ts'
import type { Message } from '../messages/message.ts'
import { type Draft, hold } from '../state/draft.ts'
import type { PeerEvent } from '../state/events.ts'
import { requiredManifestId } from '../state/needed.ts'
import { sign } from '../state/say.ts'
import { countOf, keptOf, manifestOf, messagesOf } from '../state/slots.ts'
import { followsHistory } from '../state/state.ts'
import { noteCertificate } from './measure.ts'
import { heldOutFault, manifestFault } from './validate.ts'

type BlocksHeld = Extract<PeerEvent, { type: 'blocksHeld' }>

/**
 * Requests the blocks of an author's first manifest, if the manifest itself is valid, and of any that is certified or
 * in the committed cut, even if this peer finds it invalid (rule 1 *Endorse once*: a certificate overrides a refusal to
 * fetch).
 */
export function fetchManifests(draft: Draft): void {
  if (followsHistory(draft)) return
  for (const author of draft.context.trainers) {
    const required = requiredManifest(draft, author)
    for (const wanted of candidates(draft, author, [])) {
      const holding = draft.holdings.get(hex(wanted.id))
      if (holding !== undefined && !(holding === 'refused' && required !== undefined)) continue
      const fault = manifestFault(draft.context, author, wanted.body)
      const isRefused = required === undefined && fault !== undefined
      hold(draft, wanted.id, isRefused ? 'refused' : 'fetching')
      if (isRefused) noteRefusal(draft, wanted, fault)
      else draft.effects.push({ type: 'fetch', message: wanted })
    }
  }
}

/** The author's manifests to fetch and endorse: the one that the round depends on, otherwise the first. */
function candidates(
  draft: Draft,
  author: number,
  endorsed: readonly Message<'endorsement'>[]
): readonly Message<'manifest'>[] {
  const required = requiredManifest(draft, author)
  const manifests = required === undefined ? keptOf(draft, 'manifest', 0, author) : [required]
  return endorsed.length > 0 ? [] : manifests.slice(0, 1)
}

function requiredManifest(draft: Draft, author: number): Message<'manifest'> | undefined {
  const id = requiredManifestId(draft, author)
  return id === undefined ? undefined : manifestOf(draft, author, id)
}

/**
 * Rule 1 *Endorse once*: endorses a manifest whose blocks are all durable and valid, at most one per author (the slot
 * of an endorsement is the author's index). After the commit an endorsement has no effect.
 */
export function endorse(draft: Draft): void {
  if (draft.committed !== undefined) return
  for (const author of draft.context.trainers) {
    const said = keptOf(draft, 'endorsement', author, draft.self)
    for (const manifest of candidates(draft, author, said)) {
      if (draft.holdings.get(hex(manifest.id)) !== 'valid') continue
      if (said.some(({ body }) => equalBytes(body.manifest, manifest.id))) continue
      // This peer may refuse a manifest that it fetched only because it is certified.
      if (manifestFault(draft.context, author, manifest.body) === undefined)
        sign(draft, 'endorsement', author, { manifest: manifest.id })
    }
  }
}

/**
 * Forms a certificate from every quorum of endorsements. No two manifests of an author can have one (rule 1, 2q − n >
 * f).
 */
export function certify(draft: Draft): void {
  const { quorum } = draft.context
  for (const author of draft.context.trainers) {
    if (draft.certificates.has(author)) continue
    // Every endorsement is a step; in most of them the count alone shows that there is no quorum.
    if (countOf(draft, 'endorsement', author) < quorum) continue
    const byManifest = groupBy(messagesOf(draft, 'endorsement', author), ({ body }) => hex(body.manifest))
    for (const endorsements of byManifest.values()) {
      if (endorsements.length < quorum) continue
      const sorted = endorsements.toSorted((left, right) => left.author - right.author)
      acceptCertificate(draft, {
        author,
        manifest: sorted[0]!.body.manifest,
        endorsements: sorted.map((message) => ({ member: message.author, signature: message.signature }))
      })
    }
  }
}

/** Keeps a valid certificate, the first of its author. */
export function acceptCertificate(draft: Draft, certificate: Certificate): void {
  if (draft.certificates.has(certificate.author)) return
  draft.certificates = new Map(draft.certificates).set(certificate.author, certificate)
  noteCertificate(draft)
  draft.effects.push({ type: 'certified', certificate })
}

/** Rule 2 *Validate*: records whether a manifest whose blocks are now held may be endorsed. */
export function takeBlocks(draft: Draft, { manifest, fault, heldOut }: BlocksHeld): void {
  if (draft.holdings.get(hex(manifest)) !== 'fetching') return
  const reason = fault ?? heldOutFault(draft.context, heldOut)
  hold(draft, manifest, reason === undefined ? 'valid' : 'invalid')
  const message = messagesOf(draft, 'manifest', 0).find(({ id }) => equalBytes(id, manifest))
  if (reason !== undefined && message !== undefined) noteRefusal(draft, message, reason)
}

function noteRefusal(draft: Draft, { id, header }: Message<'manifest'>, reason: string): void {
  draft.effects.push({ type: 'refused', author: header.author, manifest: id, reason })
}
