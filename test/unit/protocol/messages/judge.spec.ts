import assert from 'node:assert/strict'
import { idealSigner, verifyIdeal } from '../../../../sim/consortium/ideal-signatures.ts'
import { firsts, ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import type { Body } from '../../../../src/protocol/messages/bodies.ts'
import type { Kind } from '../../../../src/protocol/messages/header.ts'
import {
  isValidCertificate,
  isValidSeal,
  type Judgement,
  judge
} from '../../../../src/protocol/messages/judge.ts'
import { decodeEnvelope, signMessage } from '../../../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../../../src/protocol/round/context.ts'

const table = new ScriptedConsortium(7)
const { context } = table
const manifest = table.manifest(1)
const cut = table.cut([manifest])
const first = table.proposer(0)

/** The verdict of the envelope check on anything that a member signs. */
function judged<K extends Kind>(
  author: number,
  kind: K,
  slot: number,
  body: Body<K>,
  changes: Partial<RoundContext> = {}
): Judgement {
  const { signer } = table.environment(author)
  return judge(
    context,
    decodeEnvelope(signMessage({ ...context, ...changes }, signer, kind, slot, body).bytes),
    verifyIdeal
  )
}

function assertVerdict(judgement: Judgement, verdict: Judgement['verdict'], reason: RegExp): void {
  assert.equal(judgement.verdict, verdict, JSON.stringify(judgement))
  assert.match('reason' in judgement ? judgement.reason : '', reason)
}

const vote = { cut: digestOf('cut') }

describe('the envelope check', () => {
  it('ignores what is useless, without penalising the sender', () => {
    assertVerdict(judged(0, 'prevote', 0, vote, { round: 9 }), 'ignore', /round 9/)
    assertVerdict(judged(0, 'prevote', 0, vote, { parent: digestOf('other') }), 'ignore', /another parent/)
    const stranger = idealSigner(
      new ScriptedConsortium(9).context.members.find(({ peer }) => !isMember(peer))!.peer
    )
    const { bytes } = signMessage(context, stranger, 'prevote', 0, vote)
    assertVerdict(judge(context, decodeEnvelope(bytes), verifyIdeal), 'ignore', /not a member/)
  })

  it('keeps messages of the next round for later, if a member signed them', () => {
    const next = { round: 2, parent: digestOf('not known yet') }
    assert.equal(judged(0, 'prevote', 0, vote, next).verdict, 'early')
    const { bytes } = signMessage({ ...context, ...next }, forger(0), 'prevote', 0, vote)
    assertVerdict(judge(context, decodeEnvelope(bytes), verifyIdeal), 'reject', /signature/)
  })

  it('checks early messages as far as possible without their round, and blames the author', () => {
    const next = { round: 2, parent: digestOf('not known yet') }
    const said = <K extends Kind>(kind: K, slot: number, body: Body<K>) => judged(1, kind, slot, body, next)
    const ready = { certified: new Uint8Array(1) }
    const attestation = { cut: digestOf('cut'), stack: null, model: digestOf('model') }
    assertVerdict(said('manifest', 1, manifest.body), 'fault', /only slot 0/)
    assertVerdict(said('ready', 7, ready), 'fault', /only slot 0/)
    assertVerdict(said('endorsement', 4096, { manifest: manifest.id }), 'fault', /not the index of a member/)
    assertVerdict(said('attestation', 16, attestation), 'fault', /attempt 17/)
    const fresh = table.proposal(0, cut).body
    assertVerdict(said('proposal', 0, { ...fresh, validView: 0 }), 'fault', /in its own view/)
    assertVerdict(said('proposal', 0, { ...fresh, readies: fresh.readies.toReversed() }), 'fault', /sorted/)
    const vote = (view: number) =>
      signMessage(context, idealSigner(context.members[2]!.peer), 'prevote', view, { cut: null })
    const evidence = { first: vote(0), second: vote(1), attested: [] }
    const headers = {
      first: { header: evidence.first.header, signature: evidence.first.signature },
      second: { header: evidence.second.header, signature: evidence.second.signature },
      attested: []
    }
    assertVerdict(said('evidence', 2, headers), 'fault', /its evidence/)
    assert.equal(said('ready', 0, ready).verdict, 'early')
    assert.equal(said('proposal', 0, fresh).verdict, 'early')
    assert.equal(said('attestation', 15, attestation).verdict, 'early')
  })

  it('rejects another consortium, and a signature by another key', () => {
    assertVerdict(judged(0, 'prevote', 0, vote, { charterId: digestOf('other') }), 'reject', /consortium/)
    const { bytes } = signMessage(context, forger(0), 'prevote', 0, vote)
    assertVerdict(judge(context, decodeEnvelope(bytes), verifyIdeal), 'reject', /signature/)
  })

  it('blames the author for slots that do not exist', () => {
    assertVerdict(judged(1, 'manifest', 1, manifest.body), 'fault', /slot/)
    assertVerdict(judged(1, 'ready', 1, { certified: new Uint8Array(1) }), 'fault', /slot/)
    assertVerdict(judged(1, 'endorsement', 7, { manifest: manifest.id }), 'fault', /does not train/)
    const attestation = { cut: digestOf('cut'), stack: null, model: digestOf('model') }
    assert.equal(judged(1, 'attestation', 15, attestation).verdict, 'accept')
    assertVerdict(judged(1, 'attestation', 16, attestation), 'fault', /attempt 17, at most 16/)
  })

  it('blames the author of a manifest, or of an endorsement of a member, that does not train', () => {
    const few = { ...context, trainers: [0, 2] }
    const said = (kind: 'manifest' | 'endorsement') =>
      kind === 'manifest' ? manifest : table.said(0, 'endorsement', 1, { manifest: manifest.id })
    for (const kind of ['manifest', 'endorsement'] as const)
      assertVerdict(judge(few, decodeEnvelope(said(kind).bytes), verifyIdeal), 'fault', /not train/)
  })

  it('blames the author of a ready whose bitmap has another length or names a non-member', () => {
    assertVerdict(judged(1, 'ready', 0, { certified: new Uint8Array(2) }), 'fault', /bitmap/)
    assertVerdict(judged(1, 'ready', 0, { certified: Uint8Array.of(0x80) }), 'fault', /bitmap/)
    assert.equal(judged(1, 'ready', 0, { certified: Uint8Array.of(0x7f) }).verdict, 'accept')
  })

  it('accepts a vote of any view up to the largest number', () => {
    assert.equal(judged(1, 'prevote', Number.MAX_SAFE_INTEGER, vote).verdict, 'accept')
    assert.throws(() => judged(1, 'prevote', 2 ** 53, vote))
  })
})

describe('the envelope check of a proposal', () => {
  const fresh = table.proposal(0, cut).body
  const rejects = (body: Body<'proposal'>, reason: RegExp, view = 0) =>
    assertVerdict(judged(table.proposer(view), 'proposal', view, body), 'fault', reason)

  it('requires the proposer of the view', () => {
    assert.equal(judged(first, 'proposal', 0, fresh).verdict, 'accept')
    assert.equal(judged(first, 'proposal', 7, fresh).verdict, 'accept', 'turns rotate')
    assertVerdict(judged((first + 1) % 7, 'proposal', 0, fresh), 'fault', /does not propose/)
  })

  it('requires an earlier valid view, and then no readies', () => {
    rejects({ ...fresh, validView: 0, readies: [] }, /in its own view or a later one/)
    rejects({ ...fresh, validView: 0 }, /a repeated cut does not need/, 1)
    assert.equal(
      judged(table.proposer(1), 'proposal', 1, { ...fresh, validView: 0, readies: [] }).verdict,
      'accept'
    )
  })

  it('requires exactly q readies, sorted, each signed by its member', () => {
    const { readies } = fresh
    rejects({ ...fresh, readies: readies.slice(1) }, /4 readies, but 5 are required/)
    const sixth = table.ready(5, [1])
    const six = [...readies, { member: 5, certified: sixth.body.certified, signature: sixth.signature }]
    rejects({ ...fresh, readies: six }, /6 readies, but 5 are required/)
    rejects({ ...fresh, readies: readies.toReversed() }, /not sorted/)
    rejects({ ...fresh, readies: [readies[0]!, ...readies.slice(0, 4)] }, /not sorted/)
    rejects(
      { ...fresh, readies: readies.with(2, { ...readies[2]!, signature: new Uint8Array(64) }) },
      /forged/
    )
    rejects(
      { ...fresh, readies: readies.with(2, { ...readies[2]!, certified: Uint8Array.of(0x7f) }) },
      /forged/
    )
    rejects({ ...fresh, readies: readies.with(4, { ...readies[4]!, member: 6 }) }, /forged/)
    rejects({ ...fresh, readies: readies.with(4, { ...readies[4]!, member: 200 }) }, /forged/)
  })

  it('requires trainers, each once, in order', () => {
    const other = table.manifest(3)
    const two = table.cut([manifest, other])
    rejects({ ...fresh, cut: { ...two, entries: two.entries.toReversed() } }, /not sorted/)
    rejects({ ...fresh, cut: { ...two, entries: [two.entries[0]!, two.entries[0]!] } }, /not sorted/)
    const outside = new ScriptedConsortium(9).context.members.find(({ peer }) => !isMember(peer))!.peer
    rejects(
      { ...fresh, cut: { ...cut, entries: [{ author: outside, manifest: manifest.id }] } },
      /does not train/
    )
  })

  it('refuses other content as membership', () => {
    const filled = { ...cut, membership: [1] } as never
    assert.throws(() => judged(first, 'proposal', 0, { ...fresh, cut: filled }))
  })
})

describe('a certificate', () => {
  const certificate = table.certificate(manifest)
  const { endorsements } = certificate
  const isValid = (changes: Partial<typeof certificate>, of = context) =>
    isValidCertificate(of, { ...certificate, ...changes }, verifyIdeal)

  it('is any quorum of endorsements of one manifest', () => {
    assert.ok(isValid({}))
    assert.ok(isValid({ endorsements: table.certificate(manifest, firsts(7)).endorsements }))
    assert.ok(isValid({ endorsements: table.certificate(manifest, [0, 2, 4, 5, 6]).endorsements }))
  })

  it('is not valid below a quorum, unsorted, with a repeated member, or with a forged or foreign message', () => {
    assert.ok(!isValid({ endorsements: endorsements.slice(1) }))
    assert.ok(!isValid({ endorsements: endorsements.toReversed() }))
    assert.ok(!isValid({ endorsements: [endorsements[0]!, ...endorsements.slice(0, 4)] }))
    assert.ok(!isValid({ manifest: table.manifest(1, { samples: 9 }).id }))
    assert.ok(!isValid({ author: 2 }))
    assert.ok(!isValid({ author: 200 }))
    assert.ok(!isValid({ endorsements: endorsements.with(4, { ...endorsements[4]!, member: 99 }) }))
    assert.ok(!isValid({}, { ...context, parent: digestOf('other') }))
    assert.ok(!isValid({}, { ...context, round: 2 }))
    assert.ok(!isValid({}, { ...context, trainers: [0] }))
  })
})

describe('a seal', () => {
  const digests = { cut: digestOf('cut'), stack: digestOf('stack'), model: digestOf('model') }
  const attestations = firsts(5).map((member) => {
    const attempt = member % 3
    return { member, attempt, signature: table.said(member, 'attestation', attempt, digests).signature }
  })
  const made = { round: 1, parent: context.parent, ...digests, attestations }
  const isValid = (changes: Partial<typeof made>) =>
    isValidSeal(context, { ...made, ...changes }, verifyIdeal)

  it('is a quorum of equal attestations, of any attempts', () => {
    assert.ok(isValid({}))
  })

  it('is not valid below a quorum, with a repeated member, an excess attempt, or other digests', () => {
    assert.ok(!isValid({ attestations: attestations.slice(1) }))
    assert.ok(!isValid({ attestations: [attestations[0]!, ...attestations.slice(0, 4)] }))
    assert.ok(!isValid({ attestations: attestations.toReversed() }))
    assert.ok(!isValid({ attestations: attestations.with(0, { ...attestations[0]!, attempt: 1 }) }))
    assert.ok(!isValid({ attestations: attestations.with(0, { ...attestations[0]!, attempt: 16 }) }))
    assert.ok(!isValid({ model: digestOf('other') }))
    assert.ok(!isValid({ cut: digestOf('other') }))
    assert.ok(!isValid({ round: 2 }))
    assert.ok(!isValid({ parent: digestOf('other') }))
  })
})

function isMember(peer: Uint8Array): boolean {
  return context.members.some((member) => Buffer.compare(member.peer, peer) === 0)
}

/** A signer that signs in another's name with its own key. */
function forger(member: number) {
  const own = idealSigner(digestOf('own key'))
  return { peer: context.members[member]!.peer, sign: own.sign }
}
