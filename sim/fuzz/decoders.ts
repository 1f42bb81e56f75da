import { decodeCharter } from '../../src/protocol/charter/charter.ts'
import { MESSAGE_BYTES_MAX } from '../../src/protocol/charter/limits.ts'
import { decodeCanonical, MalformedError } from '../../src/protocol/encoding/canonical-cbor.ts'
import { verifyEd25519 } from '../../src/protocol/encoding/signature.ts'
import { peekSealedRound } from '../../src/protocol/history/sealed-round.ts'
import { certificateSchema } from '../../src/protocol/messages/bodies.ts'
import { KINDS, type Kind } from '../../src/protocol/messages/header.ts'
import { decodeEnvelope } from '../../src/protocol/messages/message.ts'
import { decodeLogRecord } from '../../src/protocol/state/log-records.ts'
import { decodeSyncAnswer, decodeSyncRequest } from '../../src/protocol/sync.ts'

/** Result of decoding bytes from outside: a value, or the reason why they are not valid. */
export type Decoded =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: MalformedError }

/** Everything that a peer decodes and others may have written. */
export type DecoderName =
  | Kind
  | 'charter'
  | 'certificate'
  | 'sealedRound'
  | 'syncRequest'
  | 'syncAnswer'
  | 'logRecord'

/** A decoder that returns a result for any bytes; anything else that it throws is a bug. */
function total(decode: (bytes: Uint8Array) => unknown): (bytes: Uint8Array) => Decoded {
  return (bytes) => {
    try {
      return { value: decode(bytes) }
    } catch (error) {
      if (error instanceof MalformedError) return { error }
      throw error
    }
  }
}

function decodeKind(kind: Kind): (bytes: Uint8Array) => unknown {
  return (bytes) => {
    const envelope = decodeEnvelope(bytes)
    if (envelope.kind !== kind) throw new MalformedError(`is a message of kind ${envelope.kind}`)
    return envelope
  }
}

const kinds = Object.fromEntries(KINDS.map((kind) => [kind, total(decodeKind(kind))])) as Record<
  Kind,
  (bytes: Uint8Array) => Decoded
>

/**
 * Every decoder for the wire and the disk, by name. For any input a decoder returns a value or an error value, at a cost
 * bounded by the size limit of the kind (rule 15 *Bounds*). Peers use the same functions.
 */
export const decoders: Readonly<Record<DecoderName, (bytes: Uint8Array) => Decoded>> = {
  ...kinds,
  charter: total((bytes) => decodeCharter(bytes, verifyEd25519)),
  certificate: total((bytes) => decodeCanonical(bytes, certificateSchema, MESSAGE_BYTES_MAX)),
  sealedRound: total(peekSealedRound),
  syncRequest: total(decodeSyncRequest),
  syncAnswer: total(decodeSyncAnswer),
  logRecord: total(decodeLogRecord)
}
