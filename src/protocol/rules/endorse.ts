import { equalBytes, hex } from '../encoding/bytes.ts'
import { groupBy } from '../encoding/group-by.ts'
import type { Certificate } from '../messages/bodies.ts'
import type { Message } from '../messages/message.ts'
import { countOf, type Draft, hold, keptOf, manifestOf, messagesOf, sign } from '../state/draft.ts'
import type { PeerState } from '../state/state.ts'
import { noteCertificate } from './deadline.ts'
import { manifestFault } from './validate.ts'

/**
 * Asks for the blocks of every manifest that is worth it: the first one seen of an author if it is valid on paper, and
 * whichever one is certified or in the committed cut, whatever this peer thinks of it (rule 1 *Endorse once*: a
 * certificate overrides one's own refusal to fetch).
 */
export function fetchManifests(draft: Draft): void {
  for (const author of draft.context.trainers) {
    const required = requiredManifest(draft, author)
    for (const wanted of candidates(draft, author, [])) {
      const holding = draft.holdings.get(hex(wanted.id))
      if (holding !== undefined && !(holding === 'refused' && required !== undefined)) continue
      const refused =
        required === undefined && manifestFault(draft.context, author, wanted.body) !== undefined
      hold(draft, wanted.id, refused ? 'refused' : 'fetching')
      if (!refused) draft.effects.push({ type: 'fetch', message: wanted })
    }
  }
}

/** The author's manifests that are worth fetching and endorsing: the one that the round depends on, else the first. */
function candidates(
  draft: Draft,
  author: number,
  endorsed: readonly Message<'endorsement'>[]
): readonly Message<'manifest'>[] {
  const required = requiredManifest(draft, author)
  const manifests = required === undefined ? keptOf(draft, 'manifest', 0, author) : [required]
  return endorsed.length > 0 ? [] : manifests.slice(0, 1)
}

/** Id of the author's manifest that the round may depend on: certified, or in the committed cut. */
export function requiredManifestId(draft: PeerState, author: number): Uint8Array | undefined {
  const peer = draft.context.members[author]!.peer
  const entry = draft.committed?.cut.entries.find((candidate) => equalBytes(candidate.author, peer))
  return entry?.manifest ?? draft.certificates.get(author)?.manifest
}

function requiredManifest(draft: Draft, author: number): Message<'manifest'> | undefined {
  const id = requiredManifestId(draft, author)
  return id === undefined ? undefined : manifestOf(draft, author, id)
}

/**
 * Rule 1 *Endorse once*: signs for a manifest whose blocks are all durable and valid, at most one an author (the slot of
 * an endorsement is its author's index). After the commit no word changes anything.
 */
export function endorse(draft: Draft): void {
  if (draft.committed !== undefined) return
  for (const author of draft.context.trainers) {
    const said = keptOf(draft, 'endorsement', author, draft.self)
    for (const manifest of candidates(draft, author, said)) {
      if (draft.holdings.get(hex(manifest.id)) !== 'valid') continue
      if (said.some(({ body }) => equalBytes(body.manifest, manifest.id))) continue
      // One that is there only because it is certified may have been refused on paper.
      if (manifestFault(draft.context, author, manifest.body) === undefined)
        sign(draft, 'endorsement', author, { manifest: manifest.id })
    }
  }
}

/** Makes a certificate of every quorum of endorsements. Two of one author cannot both have one (rule 1, 2q − n > f). */
export function certify(draft: Draft): void {
  const { quorum } = draft.context
  for (const author of draft.context.trainers) {
    if (draft.certificates.has(author)) continue
    // Every endorsement of every member makes one step; most of the steps can tell by the count.
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
