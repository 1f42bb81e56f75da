import assert from 'node:assert/strict'
import { firsts, ScriptedConsortium, type Seat } from '../../../../sim/consortium/scripted-consortium.ts'
import { bitsOf } from '../../../../src/protocol/encoding/bytes.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import { judgeFreshProposal } from '../../../../src/protocol/rules/propose.ts'

const table = new ScriptedConsortium(4)
const proposer = table.proposer(0)
const others = firsts(4).filter((member) => member !== proposer)
const manifests = firsts(4).map((author) => table.manifest(author))
const certificates = manifests.map((manifest) => table.certificate(manifest))

describe('rule 4, propose', () => {
  it('uses exactly q readies, those that name most, and lists their union', () => {
    const seat = table.sit(proposer)
    seat.learn(...[0, 1, 2].map((author) => certificates[author]!))
    seat.hear(table.ready(others[0]!, [0]), table.ready(others[1]!, [0, 1]), table.ready(others[2]!, [2]))
    const [said] = seat.said('proposal')
    assert.equal(said?.body.readies.length, 3)
    const union = new Set(said?.body.readies.flatMap(({ certified }) => bitsOf(certified)))
    assert.deepEqual(
      said?.body.cut,
      table.cut([...union].sort((left, right) => left - right).map((author) => manifests[author]!))
    )
    assert.equal(judgeFreshProposal({ ...seat.state } as never, said!.body), 'valid')
  })

  it('waits for the certificates that a ready names, and proposes when they arrive', () => {
    const seat = table.sit(proposer)
    seat.hear(...others.map((member) => table.ready(member, [1])))
    assert.equal(seat.state.view, 0)
    assert.deepEqual(seat.said('proposal'), [])
    seat.learn(certificates[1]!)
    assert.deepEqual(seat.said('proposal')[0]?.body.cut, table.cut([manifests[1]!]))
  })

  it('ignores a ready that names an author without a certificate', () => {
    const seat = table.sit(proposer)
    seat.learn(certificates[1]!)
    seat.hear(table.ready(others[0]!, [1, 3]), table.ready(others[1]!, [1]), table.ready(others[2]!, [1]))
    const [said] = seat.said('proposal')
    assert.deepEqual(
      said?.body.readies.map(({ member }) => member),
      [proposer, others[1], others[2]].sort()
    )
  })

  it('proposes a void round if the union is below minShards', () => {
    const strict = new ScriptedConsortium(4, { minShards: 2 })
    const seat = strict.sit(strict.proposer(0))
    seat.learn(strict.certificate(strict.manifest(1)))
    seat.hear(
      ...firsts(4)
        .filter((member) => member !== strict.proposer(0))
        .map((member) => strict.ready(member, [1]))
    )
    assert.deepEqual(seat.said('proposal')[0]?.body.cut.entries, [])
  })

  it('proposes once per view, only as its proposer, and not after the commit', () => {
    const seat = table.sit(others[0]!)
    seat.hear(...firsts(4).map((member) => table.ready(member, [])))
    assert.deepEqual(seat.said('proposal'), [])
    const late = table.sit(proposer)
    const cut = table.cut([manifests[1]!])
    // In its own view, in which it cannot propose for lack of a certificate, it learns of the decision.
    late.hear(...others.map((member) => table.ready(member, [3])))
    const view = firsts(9).find((candidate) => candidate > 0 && table.proposer(candidate) !== proposer)!
    const id = cutId(table.context, cut)
    late.hear(
      table.proposal(view, cut),
      ...others.map((member) => table.said(member, 'precommit', view, { cut: id }))
    )
    late.learn(certificates[3]!)
    assert.ok(late.state.committed)
    assert.deepEqual(late.said('proposal'), [])
  })
})

describe('the union rule', () => {
  const [judge] = others as [number]

  function opinion(seat: Seat, listed: readonly number[], union: readonly number[]): string {
    const carried = [0, 1, 2].map((member) => {
      const { body, signature } = table.ready(member, union)
      return { member, certified: body.certified, signature }
    })
    const cut = table.cut(listed.map((author) => manifests[author]!))
    return judgeFreshProposal(seat.state as never, { cut, validView: -1, readies: carried })
  }

  it('refuses a partial list, a longer one, an empty one and another manifest', () => {
    const seat = table.sit(judge)
    seat.learn(...certificates)
    assert.equal(opinion(seat, [0, 1, 2], [0, 1, 2]), 'valid')
    assert.equal(opinion(seat, [0, 1], [0, 1, 2]), 'invalid')
    assert.equal(opinion(seat, [0, 1, 2, 3], [0, 1, 2]), 'invalid')
    assert.equal(opinion(seat, [], [0, 1, 2]), 'invalid')
    const stale = table.cut([table.manifest(0, { samples: 3 }), manifests[1]!])
    const { readies } = table.proposal(0, table.cut([manifests[0]!, manifests[1]!])).body
    assert.equal(judgeFreshProposal(seat.state as never, { cut: stale, validView: -1, readies }), 'invalid')
  })

  it('waits for missing certificates', () => {
    const seat = table.sit(judge)
    seat.learn(certificates[0]!)
    assert.equal(opinion(seat, [0, 1], [0, 1]), 'waiting')
    seat.learn(certificates[1]!)
    assert.equal(opinion(seat, [0, 1], [0, 1]), 'valid')
  })

  it('accepts a void round only below minShards', () => {
    const strict = new ScriptedConsortium(4, { minShards: 3 })
    const seat = strict.sit(judge)
    seat.learn(...firsts(4).map((author) => strict.certificate(strict.manifest(author))))
    const carried = (union: readonly number[]) =>
      [0, 1, 2].map((member) => {
        const { body, signature } = strict.ready(member, union)
        return { member, certified: body.certified, signature }
      })
    const empty = strict.cut([])
    const two = strict.cut([strict.manifest(0), strict.manifest(1)])
    const judged = (cut: typeof empty, union: readonly number[]) =>
      judgeFreshProposal(seat.state as never, { cut, validView: -1, readies: carried(union) })
    assert.equal(judged(empty, [0, 1]), 'valid')
    assert.equal(judged(two, [0, 1]), 'invalid')
    assert.equal(judged(empty, [0, 1, 2]), 'invalid')
  })
})
