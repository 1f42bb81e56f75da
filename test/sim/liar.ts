import { bitmapOf, bitsOf } from '../../src/protocol/bytes.ts'
import { cutId, cutOf } from '../../src/protocol/identifiers.ts'
import type { CarriedReady, Cut, Proposal } from '../../src/protocol/messages/bodies.ts'
import { isKind } from '../../src/protocol/messages/judge.ts'
import { type Message, signMessage } from '../../src/protocol/messages/message.ts'
import type { PeerState } from '../../src/protocol/round/state.ts'
import type { Signer } from '../../src/protocol/signature.ts'
import type { SeededRandom } from './seeded-random.ts'
import { digestOf } from './simulated-consortium.ts'

/**
 * What a faulty member sends to one receiver where its software would send `message`: now the truth, now something else,
 * and votes for any cut that it knows. All of it passes the edge; it has only its own key.
 *
 * @returns envelopes
 */
export function lies(
  state: PeerState,
  signer: Signer,
  message: Message,
  random: SeededRandom
): readonly Uint8Array[] {
  const { context } = state
  if (random.chance(0.3)) return [message.bytes]
  if (isKind(message, 'proposal'))
    return [signMessage(context, signer, 'proposal', message.slot, proposal(state, message, random)).bytes]
  if (isKind(message, 'prevote') || isKind(message, 'precommit')) {
    const cuts = [null, ...cutsOf(state).map((cut) => cutId(context, cut))]
    return (['prevote', 'precommit'] as const).map(
      (kind) => signMessage(context, signer, kind, message.slot, { cut: pick(cuts, random) }).bytes
    )
  }
  if (isKind(message, 'ready')) {
    const some = bitsOf(message.body.certified).filter(() => random.chance(0.5))
    return [
      signMessage(context, signer, 'ready', 0, { certified: bitmapOf(context.members.length, some) }).bytes
    ]
  }
  if (isKind(message, 'manifest')) {
    const body = { ...message.body, samples: random.between(1, 100) }
    return [message.bytes, signMessage(context, signer, 'manifest', 0, body).bytes].slice(
      random.between(0, 1)
    )
  }
  if (isKind(message, 'endorsement')) {
    // For every manifest of the author that it knows.
    const known = state.messages.get('manifest/0')?.get(message.slot) ?? []
    return known.map(
      ({ id }) => signMessage(context, signer, 'endorsement', message.slot, { manifest: id }).bytes
    )
  }
  if (isKind(message, 'attestation')) {
    const body = { ...message.body, model: digestOf(`wrong ${random.between(0, 1)}`) }
    return [signMessage(context, signer, 'attestation', message.slot, body).bytes]
  }
  return [message.bytes]
}

/** A partial cut, a void one, one from other readies, or a stale one that claims to have been valid before. */
function proposal(state: PeerState, { slot, body }: Message<'proposal'>, random: SeededRandom): Proposal {
  const { context } = state
  const partial = { ...body.cut, entries: body.cut.entries.filter(() => random.chance(0.6)) }
  const other = otherProposal(state, random)
  if (other !== undefined && random.chance(0.5)) return other
  if (slot > 0 && random.chance(0.4)) {
    const cut = pick([partial, ...cutsOf(state)], random)
    return { cut, validView: random.between(0, slot - 1), readies: [] }
  }
  return body.validView >= 0 ? body : { ...body, cut: random.chance(0.5) ? partial : cutOf(context, []) }
}

/** A fresh proposal that keeps rule 4, from another choice of readies. */
function otherProposal(state: PeerState, random: SeededRandom): Proposal | undefined {
  const { context, certificates } = state
  const readies: CarriedReady[] = []
  for (const [member, [message]] of state.messages.get('ready/0') ?? []) {
    const { body, signature } = message as Message<'ready'>
    if (bitsOf(body.certified).every((author) => certificates.has(author)))
      readies.push({ member, certified: body.certified, signature })
  }
  while (readies.length > context.quorum) readies.splice(random.between(0, readies.length - 1), 1)
  if (readies.length < context.quorum) return undefined
  const union = [...new Set(readies.flatMap(({ certified }) => bitsOf(certified)))]
  const manifests = union.map((author) => ({ author, id: certificates.get(author)!.manifest }))
  readies.sort((left, right) => left.member - right.member)
  return { cut: cutOf(context, manifests), validView: -1, readies }
}

function cutsOf(state: PeerState): Cut[] {
  const proposals = [...state.messages].filter(([key]) => key.startsWith('proposal/'))
  return proposals.flatMap(([, slot]) => [...slot.values()].flat().map(({ body }) => (body as Proposal).cut))
}

function pick<T>(values: readonly T[], random: SeededRandom): T {
  return values[random.between(0, values.length - 1)]!
}
