import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium, type Seat } from '../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../sim/consortium/simulated-consortium.ts'
import { bitsOf } from '../../../src/protocol/encoding/bytes.ts'
import { MalformedError } from '../../../src/protocol/encoding/canonical-cbor.ts'
import { type Kind, VIEW_KINDS } from '../../../src/protocol/messages/header.ts'
import type { Message } from '../../../src/protocol/messages/message.ts'
import { countOf, NO_MESSAGES, type Slots, withKept } from '../../../src/protocol/state/slots.ts'
import {
  answerSync,
  decodeSyncAnswer,
  decodeSyncRequest,
  encodeSyncAnswer,
  encodeSyncRequest,
  SYNC_REQUEST_BYTES_MAX,
  syncRequest
} from '../../../src/protocol/sync.ts'

const table = new ScriptedConsortium(4)

/** What `answerer` sends to `asker`, after both went over the wire. */
function answered(asker: Seat, answerer: Seat) {
  const request = decodeSyncRequest(encodeSyncRequest(syncRequest(asker.state)))
  const { certificates, messages } = answerSync(answerer.state, request)
  const answer = { version: 1, round: 1, attested: 0, sealedRounds: [], certificates, messages } as const
  const read = decodeSyncAnswer(encodeSyncAnswer({ ...answer, sealedRounds: [] }))
  return { ...read, messages: read.messages.map((bytes) => table.read(bytes)) }
}

const idsOf = (messages: readonly Message[]) =>
  messages.map(({ id }) => Buffer.from(id).toString('hex')).sort()

describe('rule 14, sync', () => {
  it('sends exactly what the requester lacks', () => {
    const common = [table.manifest(1), table.said(1, 'endorsement', 2, { manifest: digestOf('any') })]
    const lacking = [
      table.manifest(2),
      table.said(2, 'endorsement', 3, { manifest: digestOf('any') }),
      table.said(1, 'prevote', 0, { cut: null }),
      table.ready(3, [])
    ]
    const asker = table.sit(0)
    const answerer = table.sit(1)
    asker.hear(...common, table.ready(2, []))
    answerer.hear(...common, ...lacking)
    assert.deepEqual(idsOf(answered(asker, answerer).messages), idsOf(lacking))
    asker.hear(...lacking)
    assert.deepEqual(answered(asker, answerer).messages, [])
  })

  it('sends certificates in place of the endorsements that they consist of', () => {
    const manifest = table.manifest(2)
    const words = [1, 2, 3].map((member) => table.said(member, 'endorsement', 2, { manifest: manifest.id }))
    const asker = table.sit(0)
    const answerer = table.sit(1)
    asker.hear(manifest, words[0]!)
    answerer.hear(manifest, ...words)
    const { certificates, messages } = answered(asker, answerer)
    assert.deepEqual(certificates, [table.certificate(manifest, [1, 2, 3])])
    assert.deepEqual(messages, [])
    asker.learn(...certificates)
    assert.deepEqual(answered(asker, answerer).certificates, [])
    assert.deepEqual(bitsOf(syncRequest(asker.state).certified), [2])
  })

  it('sends the certified manifest of an author that sent the requester another one', () => {
    const real = table.manifest(2)
    const asker = table.sit(0)
    const answerer = table.sit(1)
    asker.hear(table.manifest(2, { samples: 5 }), table.manifest(2, { samples: 6 }))
    answerer.hear(real)
    assert.deepEqual(answered(asker, answerer).messages, [])
    asker.learn(table.certificate(real))
    const { messages } = answered(asker, answerer)
    assert.deepEqual(idsOf(messages), idsOf([real]))
    asker.hear(...messages)
    assert.deepEqual(answered(asker, answerer).messages, [])
    assert.deepEqual(syncRequest(asker.state).wanted, [])
  })

  it('sends nothing of another round or parent', () => {
    const answerer = table.sit(1)
    answerer.hear(table.manifest(1))
    const request = syncRequest(table.sit(0).state)
    assert.equal(answerSync(answerer.state, request).messages.length, 1)
    assert.deepEqual(answerSync(answerer.state, { ...request, round: 2 }).messages, [])
    assert.deepEqual(answerSync(answerer.state, { ...request, parent: digestOf('other') }).messages, [])
  })

  it('sends at most a mebibyte at a time, and comes to an end', () => {
    const many = new ScriptedConsortium(40)
    const asker = many.sit(0)
    const answerer = many.sit(1)
    for (const member of firsts(40)) {
      const { body } = many.manifest(member)
      const blocks = Array.from({ length: 1700 }, (_, index) => digestOf(`${member} ${index}`))
      answerer.hear(many.said(member, 'manifest', 0, { ...body, shards: [{ ...body.shards[0]!, blocks }] }))
    }
    let turns = 0
    for (; ; turns++) {
      const { messages } = answerSync(answerer.state, syncRequest(asker.state))
      if (messages.length === 0) break
      assert.ok(messages.reduce((sum, { length }) => sum + length, 0) <= 1024 * 1024)
      asker.hear(...messages.map((bytes) => many.read(bytes)))
    }
    assert.equal(countOf(asker.state, 'manifest', 0), 40)
    assert.ok(turns >= 3, `${turns} turns`)
  })

  it('sends requests within their bound in the largest consortium and after hundreds of views', () => {
    const large = new ScriptedConsortium(256)
    const seat = large.sit(0)
    const heard = (messages: Slots, kind: Kind, slot: number) =>
      withKept(messages, kind, slot, slot % 256, [large.said(1, 'prevote', 0, { cut: null }) as Message])
    let messages = NO_MESSAGES
    for (const author of firsts(256)) messages = heard(messages, 'endorsement', author)
    for (const view of firsts(400))
      for (const kind of VIEW_KINDS) messages = heard(messages, kind, view * 1e9)
    const certificates = new Map(
      firsts(256).map((author) => [author, large.certificate(large.manifest(1), [])])
    )
    const renamed = [...certificates].map(([author, made]) => [author, { ...made, author }] as const)
    const state = {
      ...seat.state,
      messages,
      certificates: new Map(renamed)
    }
    const bytes = encodeSyncRequest(syncRequest(state))
    assert.ok(bytes.length <= SYNC_REQUEST_BYTES_MAX, `${bytes.length} bytes`)
    assert.equal(decodeSyncRequest(bytes).wanted.length, 256)
  })

  it('refuses malformed requests and answers', () => {
    const request = syncRequest(table.sit(0).state)
    for (const changes of [{ version: 2 }, { round: 0 }, { certified: new Uint8Array(513) }, { extra: 1 }])
      assert.throws(
        () => decodeSyncRequest(encodeSyncRequest({ ...request, ...changes } as never)),
        MalformedError
      )
    const answer = {
      version: 1,
      round: 1,
      attested: 0,
      sealedRounds: [],
      certificates: [],
      messages: []
    } as const
    const long = { ...answer, messages: [new Uint8Array(64 * 1024 + 1)] }
    assert.throws(() => decodeSyncAnswer(encodeSyncAnswer(long as never)), MalformedError)
    assert.throws(() => decodeSyncAnswer(new Uint8Array(6 * 1024 * 1024)), MalformedError)
    const crowd = { ...answer, certificates: new Array(300).fill(table.certificate(table.manifest(1))) }
    assert.throws(() => decodeSyncAnswer(encodeSyncAnswer(crowd as never)), MalformedError)
  })
})
