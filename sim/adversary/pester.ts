import { encodeCanonical } from '../../src/protocol/encoding/canonical-cbor.ts'
import { headerFor, type Message, signMessage } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import type { Copy } from '../consortium/copy.ts'
import { digestOf } from '../consortium/simulated-consortium.ts'
import type { SeededRandom } from '../support/seeded-random.ts'

/** What a faulty member may use: all messages sent in the round, and a key that belongs to no member. */
export interface Overheard {
  readonly context: RoundContext
  readonly messages: readonly Message[]
  readonly outsider: Copy['environment']['signer']
}

const FLOOD_MESSAGES = 6
/** More messages per second than an author's budget allows. */
const USELESS_MESSAGES = 30
/** Enough to be graylisted by gossip, if they were charged to one neighbour. */
const FAULTY_MESSAGES = 4

/** Signs a message and returns its envelope. */
type Sign = (...what: Parameters<typeof signMessage<'prevote' | 'precommit'>>) => Uint8Array

/**
 * Unsolicited messages that a faulty member sends from time to time: replays, forgeries, floods.
 *
 * @param know called with every well-formed message created here
 */
export function pester(
  copy: Copy,
  { context, messages, outsider }: Overheard,
  random: SeededRandom,
  know: (message: Message) => void
): Uint8Array[] {
  const { behaviours, environment } = copy
  const sent: Uint8Array[] = []
  const sign: Sign = (...what) => {
    const message = signMessage(...what)
    know(message as Message)
    return message.bytes
  }
  const any = () => messages[random.between(0, messages.length - 1)]
  if (behaviours.has('replays')) {
    const old = any()
    if (old !== undefined) sent.push(old.bytes)
  }
  if (behaviours.has('floods')) {
    const own = Math.max(0, copy.state?.view ?? 0)
    const far = random.between(0, 1_000)
    const next = { ...context, round: context.round + 1, parent: digestOf('unknown parent') }
    for (let count = 0; count < FLOOD_MESSAGES; count++) {
      const kind = random.chance(0.5) ? 'prevote' : 'precommit'
      const cut = digestOf(`flood ${random.between(0, 1_000)}`)
      sent.push(
        sign(context, environment.signer, kind, far + count, { cut }),
        sign(context, environment.signer, 'prevote', own, { cut }),
        sign(next, environment.signer, kind, count, { cut })
      )
    }
  }
  if (behaviours.has('floods-uselessly')) {
    const from = 1_000 + USELESS_MESSAGES * copy.floods++
    for (let view = from; view < from + USELESS_MESSAGES; view++)
      sent.push(sign(context, environment.signer, 'prevote', view, { cut: digestOf(`useless ${view}`) }))
  }
  if (behaviours.has('forges')) sent.push(...forgeries(copy, context, any(), outsider, random, sign))
  return sent
}

/** A message in an honest member's name, one by an outsider, and one that builds on another parent. */
function forgeries(
  { environment }: Copy,
  context: RoundContext,
  like: Message | undefined,
  outsider: Copy['environment']['signer'],
  random: SeededRandom,
  sign: Sign
): Uint8Array[] {
  const view = random.between(0, 2)
  const cut = random.chance(0.5) ? null : digestOf('forged cut')
  const kind = random.chance(0.5) ? 'prevote' : 'precommit'
  const other = { ...context, parent: digestOf('another parent') }
  const sent = [
    sign(context, outsider, kind, view, { cut }),
    sign(other, environment.signer, kind, view, { cut })
  ]
  if (like !== undefined) {
    const body = { cut }
    const header = headerFor(context, kind, view, like.header.author, body)
    sent.push(encodeCanonical({ version: 1, header, body, signature: like.signature }))
  }
  return sent
}

/**
 * Validly signed messages of a faulty member that nobody accepts: everybody sees some of the faults, others only those
 * who know the round's members and proposers.
 */
export function faultyMessages(
  { environment: { signer } }: Copy,
  context: RoundContext,
  random: SeededRandom,
  know: (message: Message) => void
): Uint8Array[] {
  return Array.from({ length: FAULTY_MESSAGES }, (_, index) => {
    const certified = new Uint8Array(2 + Math.ceil(context.members.length / 8)).fill(random.between(0, 255))
    const message = signMessage(context, signer, 'ready', random.chance(0.5) ? 0 : 1 + index, { certified })
    know(message as Message)
    return message.bytes
  })
}
