import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { equalBytes } from '../../../../src/protocol/encoding/bytes.ts'
import type { SealedRound } from '../../../../src/protocol/history/sealed-round.ts'
import { contextAfter } from '../../../../src/protocol/history/sealed-round.ts'
import { settle } from '../../../../src/protocol/history/settle.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'

const table = new ScriptedConsortium(4)
const manifests = [table.manifest(0), table.manifest(2)]
const cut = table.cut(manifests)
const digests = { cut: cutId(table.context, cut), stack: digestOf('stack'), model: digestOf('new model') }

function sealedBy(members: readonly number[]): SealedRound {
  const attestations = members.map((member) => {
    const { signature, slot } = table.said(member, 'attestation', member % 2, digests)
    return { member, attempt: slot, signature }
  })
  const { round, parent } = table.context
  return { seal: { round, parent, ...digests, attestations }, cut, manifests }
}

describe('ids (rule 6)', () => {
  it('do not depend on who signed: every quorum leads to the same next round', () => {
    const one = contextAfter(table.context, sealedBy([0, 1, 2]))
    const other = contextAfter(table.context, sealedBy([1, 2, 3]))
    assert.deepEqual(one, other)
    assert.equal(one.round, 2)
  })

  it('depend on everything else', () => {
    const next = settle(table.context, digests, manifests)
    const others = [
      settle({ ...table.context, round: 7 }, digests, manifests),
      settle({ ...table.context, charterId: digestOf('other') }, digests, manifests),
      settle({ ...table.context, parent: digestOf('other') }, digests, manifests),
      settle({ ...table.context, seed: digestOf('other') }, digests, manifests),
      settle(table.context, { ...digests, cut: digestOf('other') }, manifests),
      settle(table.context, { ...digests, stack: null }, manifests),
      settle(table.context, { ...digests, model: digestOf('other') }, manifests),
      settle(table.context, digests, manifests.slice(1))
    ]
    for (const other of others) assert.ok(!equalBytes(other.parent, next.parent))
    assert.ok(!equalBytes(cutId(table.context, cut), cutId({ ...table.context, parent: digestOf('x') }, cut)))
    assert.ok(!equalBytes(cutId(table.context, cut), cutId({ ...table.context, round: 2 }, cut)))
  })
})

describe('the seed (rule 12)', () => {
  it('changes with every round, even a void one, while only the anchors of stacked authors advance', () => {
    const next = settle(table.context, digests, manifests)
    const empty = settle(table.context, digests, [])
    assert.ok(!equalBytes(next.seed, table.context.seed))
    assert.ok(!equalBytes(empty.seed, table.context.seed))
    assert.ok(!equalBytes(empty.seed, next.seed))
    for (const [index, member] of next.members.entries()) {
      const before = table.context.members[index]!
      const hashed = createHash('sha256').update(member.anchor).digest()
      const isStacked = index === 0 || index === 2
      assert.deepEqual(
        isStacked ? hashed : member.anchor,
        isStacked ? Buffer.from(before.anchor) : before.anchor
      )
    }
  })

  it('depends on nothing of a manifest but its reveal', () => {
    const ground = [table.manifest(0, { samples: 77 }), manifests[1]!]
    const { seed } = settle(table.context, { ...digests, model: digestOf('any'), stack: null }, ground)
    assert.deepEqual(seed, settle(table.context, digests, manifests).seed)
  })
})
