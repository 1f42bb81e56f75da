import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ScriptedConsortium } from '../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../sim/consortium/simulated-consortium.ts'
import { type DecoderName, decoders } from '../../../sim/fuzz/decoders.ts'
import { encodeCanonical } from '../../../src/protocol/encoding/canonical-cbor.ts'
import { evidenceOf } from '../../../src/protocol/messages/evidence.ts'
import type { Message } from '../../../src/protocol/messages/message.ts'
import { encodeLogRecord } from '../../../src/protocol/state/log-records.ts'
import { encodeSyncRequest, syncRequest } from '../../../src/protocol/sync.ts'

const table = new ScriptedConsortium(4)
const vote = (cut: string) => table.said(1, 'prevote', 0, { cut: digestOf(cut) }) as Message
const evidence = evidenceOf(vote('a'), vote('b'))!
const manifest = table.manifest(1)

/** One valid input of each decoder that a scripted consortium can create. */
const valid: Partial<Record<DecoderName, Uint8Array>> = {
  manifest: manifest.bytes,
  endorsement: table.said(0, 'endorsement', 1, { manifest: manifest.id }).bytes,
  ready: table.ready(0, [1]).bytes,
  proposal: table.proposal(0, table.cut([manifest])).bytes,
  prevote: vote('a').bytes,
  precommit: table.said(0, 'precommit', 0, { cut: null }).bytes,
  attestation: table.said(0, 'attestation', 0, { cut: digestOf('c'), stack: null, model: digestOf('m') })
    .bytes,
  evidence: table.said(0, 'evidence', 1, evidence).bytes,
  certificate: encodeCanonical(table.certificate(manifest)),
  syncRequest: encodeSyncRequest(syncRequest(table.sit(0).state)),
  logRecord: encodeLogRecord({ type: 'silent', through: 1 })
}

describe('the decoders', () => {
  it('read valid input, and messages of their own kind only', () => {
    for (const [name, bytes] of Object.entries(valid))
      assert.equal(decoders[name as DecoderName](bytes).error, undefined, name)
    assert.match(decoders.prevote(valid.precommit!).error!.message, /kind precommit/)
  })

  for (const name of Object.keys(decoders) as DecoderName[]) {
    it(`of ${name} return a value or throw a decoding error, for any bytes and any change of valid ones (property)`, () => {
      const sample = valid[name] ?? valid.prevote!
      const changes = fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), {
        minLength: 1,
        maxLength: 4
      })
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 400 }),
          changes,
          fc.nat(sample.length),
          (noise, flips, cut) => {
            const changed = Uint8Array.from(sample)
            for (const [at, value] of flips) changed[at] = value
            for (const bytes of [noise, changed, sample.subarray(0, cut), Buffer.concat([sample, noise])]) {
              const { value, error } = decoders[name](bytes)
              assert.ok((value === undefined) !== (error === undefined))
            }
          }
        ),
        { numRuns: 100 }
      )
    })
  }

  it('handle the deepest nesting that fits, and the longest lists', () => {
    for (const decode of Object.values(decoders)) {
      assert.ok(decode(new Uint8Array(60_000).fill(0x81)).error)
      assert.ok(decode(Uint8Array.of(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)).error)
      assert.ok(decode(new Uint8Array(20 * 1024 * 1024)).error)
    }
  })
})
