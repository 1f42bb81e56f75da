import { hex } from '../../src/protocol/encoding/bytes.ts'
import type { Verify } from '../../src/protocol/encoding/signature.ts'
import { type Judgement, judge } from '../../src/protocol/messages/judge.ts'
import { decodeEnvelope, type Envelope, type Message } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'

/** A member's envelope check. */
export interface EnvelopeCheck {
  readonly verify: Verify
  /** Registers a message just created, so that a shared check need not decode it again. */
  know(message: Message): void
  decode(bytes: Uint8Array): Envelope
  judge(context: RoundContext, envelope: Envelope): Judgement
}

/** Every receiver decodes and judges separately, as peers do. */
export function plainCheck(verify: Verify): EnvelopeCheck {
  return {
    verify,
    know: () => {},
    decode: decodeEnvelope,
    judge: (context, envelope) => judge(context, envelope, verify)
  }
}

/** Decoding and judging are pure functions: members in the same context share the judgement of the same bytes. */
export function memoisedCheck(verify: Verify): EnvelopeCheck {
  const envelopes = new WeakMap<Uint8Array, Envelope>()
  const judgements = new WeakMap<Envelope, Map<string, Judgement>>()
  const names = new WeakMap<RoundContext, string>()
  const nameOf = (context: RoundContext) => {
    const known = names.get(context)
    if (known !== undefined) return known
    // A parent's id covers charter, round, members and seed.
    const name = `${context.round} ${hex(context.parent)} ${hex(context.seed)}`
    names.set(context, name)
    return name
  }
  return {
    verify,
    know(message) {
      if (!envelopes.has(message.bytes)) envelopes.set(message.bytes, message)
    },
    decode(bytes) {
      const known = envelopes.get(bytes)
      if (known !== undefined) return known
      const envelope = decodeEnvelope(bytes)
      envelopes.set(bytes, envelope)
      return envelope
    },
    judge(context, envelope) {
      const name = nameOf(context)
      const known = judgements.get(envelope) ?? new Map<string, Judgement>()
      const before = known.get(name)
      if (before !== undefined) return before
      const judgement = judge(context, envelope, verify)
      judgements.set(envelope, known.set(name, judgement))
      return judgement
    }
  }
}
