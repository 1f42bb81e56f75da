import { bitmapOf, bitsOf, equalBytes } from '../../src/protocol/encoding/bytes.ts'
import type { Body, CarriedReady, Cut, Proposal } from '../../src/protocol/messages/bodies.ts'
import { cutId, cutOf } from '../../src/protocol/messages/cut.ts'
import type { Kind } from '../../src/protocol/messages/header.ts'
import { isKind } from '../../src/protocol/messages/judge.ts'
import { type Message, signMessage } from '../../src/protocol/messages/message.ts'
import { keptOf, slotOf, slotsOf } from '../../src/protocol/state/slots.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import type { Copy } from '../consortium/copy.ts'
import { digestOf } from '../consortium/simulated-consortium.ts'
import type { Behaviour } from '../scenarios/scenario.ts'
import { SeededRandom } from '../support/seeded-random.ts'

/** Maximum number of cuts that a faulty member chooses from. */
const CUTS_MAX = 8

/**
 * What a faulty member sends to one receiver in place of `message`. All of it passes the envelope check, except
 * deliberate forgeries; a faulty member has only its own key.
 *
 * @returns envelopes
 */
export function utter(copy: Copy, message: Message, to: Copy, random: SeededRandom): readonly Uint8Array[] {
  const { behaviours, state } = copy
  if (behaviours.has('silent') || state === undefined) return []
  if (behaviours.has('selective') && (copy.person + to.person) % 3 === 0) return []
  // The software may already be a round ahead of the message; then it is sent unchanged.
  if (state.context.round !== message.header.round) return [message.bytes]
  const lies = liesOf(copy, state, message, random)
  return lies ?? [message.bytes]
}

function liesOf(
  copy: Copy,
  state: PeerState,
  message: Message,
  random: SeededRandom
): readonly Uint8Array[] | undefined {
  const { behaviours } = copy
  const { context } = state
  const sign = <K extends Kind>(kind: K, slot: number, body: Body<K>) =>
    signMessage(context, copy.environment.signer, kind, slot, body).bytes
  const equivocates = (kind: Kind) => behaviours.has(`equivocates-${kind}` as Behaviour) && random.chance(0.7)
  if (isKind(message, 'manifest') && behaviours.has('announces-nothing')) return []
  if (isKind(message, 'manifest') && behaviours.has('claims-samples'))
    return [sign('manifest', 0, { ...message.body, samples: context.charter.sampleCap + 1 })]
  if (isKind(message, 'manifest') && behaviours.has('reveals-wrongly'))
    return [sign('manifest', 0, { ...message.body, reveal: digestOf('no reveal') })]
  if (isKind(message, 'manifest') && equivocates('manifest')) {
    const body = { ...message.body, samples: random.between(1, 3) }
    return [message.bytes, sign('manifest', 0, body)].slice(random.between(0, 1))
  }
  if (isKind(message, 'endorsement') && equivocates('endorsement')) {
    // For every known manifest of the author.
    return keptOf(state, 'manifest', 0, message.slot).map(({ id }) =>
      sign('endorsement', message.slot, { manifest: id })
    )
  }
  if (isKind(message, 'ready') && equivocates('ready')) {
    const some = bitsOf(message.body.certified).filter(() => random.chance(0.5))
    return [sign('ready', 0, { certified: bitmapOf(context.members.length, some) })]
  }
  if (isKind(message, 'proposal')) {
    const other = falseProposal(copy, state, message, random)
    return other === undefined ? undefined : [sign('proposal', message.slot, other)]
  }
  for (const kind of ['prevote', 'precommit'] as const) {
    if (message.kind !== kind || !equivocates(kind)) continue
    const cuts = [null, ...cutsOf(state).map((cut) => cutId(context, cut))]
    return [sign(kind, message.slot, { cut: pick(cuts, random) })]
  }
  if (isKind(message, 'attestation')) {
    if (behaviours.has('attests-false-digests'))
      return [sign('attestation', message.slot, { ...message.body, model: digestOf('wrong model') })]
    if (equivocates('attestation')) {
      const model = digestOf(`wrong ${random.between(0, 1)}`)
      return [message.bytes, sign('attestation', message.slot, { ...message.body, model })]
    }
  }
  return undefined
}

/** A partial cut, a void one, one from other readies, a stale one that claims to have been valid before, or too much. */
function falseProposal(
  copy: Copy,
  state: PeerState,
  { id, slot, body }: Message<'proposal'>,
  random: SeededRandom
): Proposal | undefined {
  const { behaviours } = copy
  const { context } = state
  // The same for everybody, or no quorum would ever follow it.
  const same = new SeededRandom(new DataView(id.buffer, id.byteOffset).getUint32(0))
  const partial = { ...body.cut, entries: body.cut.entries.filter(() => same.chance(0.6)) }
  if (behaviours.has('proposes-partial') && body.validView < 0 && same.chance(0.8))
    return { ...body, cut: same.chance(0.7) ? partial : cutOf(context, []) }
  if (behaviours.has('proposes-few') && body.validView < 0 && same.chance(0.8)) {
    const certified = bitmapOf(context.members.length, [])
    const { signature } = signMessage(context, copy.environment.signer, 'ready', 0, { certified })
    return { ...body, cut: cutOf(context, []), readies: [{ member: state.self, certified, signature }] }
  }
  if (behaviours.has('replays-changes') && body.validView < 0) {
    const isMember = (peer: Uint8Array) => context.members.some((member) => equalBytes(member.peer, peer))
    const again = copy.changes.find(({ request: { type, peer } }) => isMember(peer) !== (type === 'join'))
    if (again !== undefined) return { ...body, cut: { ...body.cut, membership: [again] } }
  }
  if (behaviours.has('proposes-stale') && slot > 0 && random.chance(0.8)) {
    const cut = pick([partial, ...cutsOf(state)], random)
    return { cut, validView: random.between(0, slot - 1), readies: [] }
  }
  if (behaviours.has('proposes-oversized') && random.chance(0.8)) {
    const known = [...(slotOf(state, 'manifest', 0)?.byAuthor ?? [])]
    const all = known.map(([author, [manifest]]) => ({ author, id: manifest!.id }))
    return { ...body, cut: { ...body.cut, entries: cutOf(context, all).entries } }
  }
  return behaviours.has('equivocates-proposal') ? otherProposal(state, random) : undefined
}

/** A fresh proposal that keeps rule 4, from another choice of readies. */
function otherProposal(state: PeerState, random: SeededRandom): Proposal | undefined {
  const { context, certificates } = state
  const readies: CarriedReady[] = []
  for (const [member, [message]] of slotOf(state, 'ready', 0)?.byAuthor ?? []) {
    const { body, signature } = message!
    if (bitsOf(body.certified).every((author) => certificates.has(author)))
      readies.push({ member, certified: body.certified, signature })
  }
  while (readies.length > context.quorum) readies.splice(random.between(0, readies.length - 1), 1)
  if (readies.length < context.quorum) return undefined
  readies.sort((left, right) => left.member - right.member)
  const union = [...new Set(readies.flatMap(({ certified }) => bitsOf(certified)))]
  const stacked = union.length < context.charter.minShards ? [] : union
  const manifests = stacked.map((author) => ({ author, id: certificates.get(author)!.manifest }))
  return { cut: cutOf(context, manifests), validView: -1, readies }
}

/** Cuts that were proposed so far in the round, the first few. */
function cutsOf(state: PeerState): Cut[] {
  const proposals = slotsOf(state, 'proposal').flatMap(({ byAuthor }) => [...byAuthor.values()].flat())
  return proposals.slice(0, CUTS_MAX).map(({ body }) => body.cut)
}

function pick<T>(values: readonly T[], random: SeededRandom): T {
  return values[random.between(0, values.length - 1)]!
}
