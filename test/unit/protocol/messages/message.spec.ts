import assert from 'node:assert/strict'
import fc from 'fast-check'
import { verifyIdeal } from '../../../../sim/consortium/ideal-signatures.ts'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { MESSAGE_BYTES_MAX } from '../../../../src/protocol/charter/limits.ts'
import { encodeCanonical, MalformedError } from '../../../../src/protocol/encoding/canonical-cbor.ts'
import type { Kind } from '../../../../src/protocol/messages/header.ts'
import { messageId } from '../../../../src/protocol/messages/header.ts'
import { judge } from '../../../../src/protocol/messages/judge.ts'
import { decodeEnvelope, type Envelope, signMessage } from '../../../../src/protocol/messages/message.ts'

const table = new ScriptedConsortium(4)
const manifest = table.manifest(1)
const attestation = { cut: digestOf('cut'), stack: null, model: digestOf('model') }
const everyKind = [
  manifest,
  table.said(0, 'endorsement', 1, { manifest: manifest.id }),
  table.ready(2, [0, 1, 3]),
  table.proposal(0, table.cut([manifest])),
  table.said(3, 'prevote', 2, { cut: digestOf('cut') }),
  table.said(3, 'precommit', 2, { cut: null }),
  table.said(0, 'attestation', 1, attestation)
]

/** Whether the envelope check would accept the bytes; anything thrown must be a MalformedError. */
function isAccepted(bytes: Uint8Array): boolean {
  try {
    return judge(table.context, decodeEnvelope(bytes), verifyIdeal).verdict === 'accept'
  } catch (error) {
    assert.ok(error instanceof MalformedError, String(error))
    return false
  }
}

describe('an envelope', function () {
  this.timeout(60_000)

  for (const message of everyKind) {
    const { kind, bytes } = message

    it(`${kind}: round-trips`, () => {
      const read = decodeEnvelope(bytes)
      const { id: _id, author: _author, slot: _slot, ...envelope } = message
      assert.deepEqual(read, envelope satisfies Envelope)
      assert.deepEqual(messageId(read.header), message.id)
    })

    it(`${kind}: is refused with any bit flipped`, () => {
      const stride = Math.max(1, Math.floor((bytes.length * 8) / 1500))
      for (let bit = 0; bit < bytes.length * 8; bit += stride) {
        const changed = Uint8Array.from(bytes)
        changed[bit >> 3]! ^= 1 << (bit & 7)
        assert.ok(!isAccepted(changed), `bit ${bit}`)
      }
    })

    it(`${kind}: is refused when truncated or with a byte added`, () => {
      for (let length = 0; length < bytes.length; length += 11)
        assert.ok(!isAccepted(bytes.subarray(0, length)))
      assert.ok(!isAccepted(Uint8Array.from([...bytes, 0])))
    })
  }

  it('throws only MalformedError for thousands of random and half-random inputs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => assert.ok(!isAccepted(bytes))),
      { numRuns: 3000 }
    )
    const splice = fc.tuple(
      fc.nat(everyKind.length - 1),
      fc.nat(),
      fc.nat(20),
      fc.uint8Array({ maxLength: 20 })
    )
    fc.assert(
      fc.property(splice, ([which, at, removed, inserted]) => {
        const { bytes } = everyKind[which]!
        const begin = at % bytes.length
        const changed = [...bytes.subarray(0, begin), ...inserted, ...bytes.subarray(begin + removed)]
        if (Buffer.compare(Buffer.from(changed), bytes) !== 0)
          assert.ok(!isAccepted(Uint8Array.from(changed)))
      }),
      { numRuns: 3000 }
    )
  })

  it('throws only MalformedError for any value in place of a body', () => {
    const value = fc.anything({
      values: [
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.uint8Array({ maxLength: 40 }),
        fc.string(),
        fc.boolean(),
        fc.constant(null)
      ]
    })
    const kinds = fc.constantFrom<Kind>(
      'manifest',
      'endorsement',
      'ready',
      'proposal',
      'prevote',
      'attestation'
    )
    fc.assert(
      fc.property(kinds, value, (kind, body) => {
        let bytes: Uint8Array
        try {
          const { signer } = table.environment(1)
          bytes = signMessage(table.context, signer, kind, 0, body as never).bytes
        } catch {
          return // what DAG-CBOR cannot hold cannot arrive either
        }
        assert.ok(!isAccepted(bytes))
      }),
      { numRuns: 2000 }
    )
  })

  it('is refused unless its encoding is canonical', () => {
    const { bytes } = everyKind[1]!
    const { header, body, signature } = decodeEnvelope(bytes)
    const whole = { version: 1, header, body, signature }
    assert.throws(() => decodeEnvelope(encodeCanonical({ ...whole, extra: 1 })), MalformedError)
    assert.throws(
      () => decodeEnvelope(encodeCanonical({ ...whole, header: { ...header, extra: 1 } })),
      MalformedError
    )
    assert.throws(() => decodeEnvelope(encodeCanonical({ ...whole, version: 2 })), MalformedError)
    assert.throws(() => decodeEnvelope(encodeCanonical({ version: 1, header, signature })), MalformedError)
    // Unsorted keys: "body" moved behind "header", which is longer.
    const [map, ...entries] = [bytes.subarray(0, 1), ...entriesOf(whole)]
    const joined = (parts: readonly Uint8Array[]) =>
      Uint8Array.from([...map!, ...parts.flatMap((part) => [...part])])
    assert.deepEqual(joined(entries), bytes)
    assert.throws(() => decodeEnvelope(joined([entries[1]!, entries[0]!, ...entries.slice(2)])), /canonical/)
  })

  it('is refused when an integer is encoded as a float', () => {
    const body = { ...manifest.body, samples: 1.5 }
    const { signer } = table.environment(1)
    const { bytes } = signMessage(table.context, signer, 'manifest', 0, body)
    const at = bytes.findIndex(
      (_, index) => bytes[index] === 0xfb && bytes[index + 1] === 0x3f && bytes[index + 2] === 0xf8
    )
    assert.ok(at > 0)
    const half = Uint8Array.from([...bytes.subarray(0, at), 0xf9, 0x3e, 0x00, ...bytes.subarray(at + 9)])
    const two = Uint8Array.from(bytes)
    two.set([0x40, 0x00], at + 1)
    for (const changed of [bytes, half, two]) assert.throws(() => decodeEnvelope(changed), MalformedError)
  })

  it('is refused above the size limit before it is decoded, and at any nesting depth', () => {
    assert.throws(() => decodeEnvelope(new Uint8Array(MESSAGE_BYTES_MAX + 1)), /at most 65536/)
    assert.throws(() => decodeEnvelope(new Uint8Array(MESSAGE_BYTES_MAX).fill(0x81)), MalformedError)
  })

  it('is refused when the body is not the signed one', () => {
    const { header, signature } = decodeEnvelope(everyKind[1]!.bytes)
    const body = { manifest: digestOf('another') }
    assert.throws(
      () => decodeEnvelope(encodeCanonical({ version: 1, header, body, signature })),
      /not the signed one/
    )
  })
})

/** The encoded key and value of every entry, in canonical order. */
function entriesOf(map: Record<string, unknown>): Uint8Array[] {
  const keys = Object.keys(map).sort((left, right) => left.length - right.length || (left < right ? -1 : 1))
  return keys.map((key) => encodeCanonical({ [key]: map[key] }).subarray(1))
}
