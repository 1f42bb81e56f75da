import assert from 'node:assert/strict'
import fc from 'fast-check'
import { firsts, ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { MalformedError } from '../../../../src/protocol/encoding/canonical-cbor.ts'
import {
  decodeLogRecord,
  encodeLogRecord,
  roundOfRecord
} from '../../../../src/protocol/state/log-records.ts'

describe('log records', () => {
  it('round-trip, for everything that a member logs in a round', () => {
    const table = new ScriptedConsortium(4)
    const proposer = table.proposer(0)
    const seat = table.sit(proposer)
    const manifests = firsts(4).map((author) => table.manifest(author))
    seat.learn(...manifests.map((manifest) => table.certificate(manifest)))
    seat.hear(...firsts(4).map((member) => table.ready(member, firsts(4))))
    const [proposal] = seat.said('proposal')
    const [prevote] = seat.said('prevote')
    assert.ok(proposal && prevote)
    seat.hear(
      ...firsts(4)
        .filter((member) => member !== proposer)
        .map((member) => table.said(member, 'prevote', 0, prevote.body))
    )
    assert.deepEqual([...new Set(seat.log.map(({ type }) => type))].sort(), ['signed', 'valid'])
    for (const record of [...seat.log, { type: 'silent', through: 3 } as const]) {
      assert.deepEqual(decodeLogRecord(encodeLogRecord(record)), record)
      assert.equal(roundOfRecord(record), record.type === 'silent' ? 3 : 1)
    }
  })

  it('throw only MalformedError when invalid (property)', () => {
    const bytes = encodeLogRecord({ type: 'silent', through: 3 })
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array(), fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))),
        (made) => {
          const changed = made instanceof Uint8Array ? made : Uint8Array.from(bytes)
          if (!(made instanceof Uint8Array)) changed[made[0]]! ^= made[1]
          try {
            decodeLogRecord(changed)
          } catch (error) {
            assert.ok(error instanceof MalformedError)
          }
        }
      )
    )
  })
})
