import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import type { Manifest, ManifestShard } from '../../../../src/protocol/messages/bodies.ts'
import { bodySchemas } from '../../../../src/protocol/messages/bodies.ts'
import { cutId } from '../../../../src/protocol/messages/cut.ts'
import { blocksOf, manifestFault } from '../../../../src/protocol/rules/validate.ts'
import type { HeldOutLoss } from '../../../../src/protocol/state/events.ts'

const table = new ScriptedConsortium(4)
const { body } = table.manifest(1)
const [shard] = body.shards as [ManifestShard]
const faultOf = (changes: Partial<Manifest>) => manifestFault(table.context, 1, { ...body, ...changes })
const faultOfShard = (changes: Partial<ManifestShard>) => faultOf({ shards: [{ ...shard, ...changes }] })

describe('manifest validation (rule 2)', () => {
  it('accepts that of an honest member', () => {
    assert.equal(faultOf({}), undefined)
  })

  it('refuses each violation of the charter', () => {
    assert.match(faultOf({ samples: 1_000_001 })!, /above the charter's cap/)
    assert.match(faultOf({ reveal: digestOf('made up') })!, /reveal/)
    assert.match(faultOf({ reveal: table.manifest(2).body.reveal })!, /reveal/)
    assert.match(faultOf({ dtype: 'int8' })!, /dtype int8 is not the charter's f32/)
    assert.match(faultOf({ totalBytes: body.totalBytes + 1 })!, /its ranks give/)
    assert.match(faultOf({ shards: [shard, shard] })!, /sorted/)
    assert.match(faultOfShard({ module: 'model.unknown' })!, /not a module/)
    assert.match(faultOfShard({ inFeatures: 9 })!, /shape/)
    assert.match(faultOfShard({ outFeatures: 9 })!, /shape/)
    assert.match(faultOfShard({ rank: 65 })!, /rank 65/)
    assert.match(faultOfShard({ alpha: 128.5 })!, /alpha 128.5/)
    assert.match(faultOfShard({ alpha: 0.5 })!, /alpha 0.5/)
    assert.match(faultOfShard({ blocks: [shard.blocks[0]!, shard.blocks[0]!] })!, /2 blocks/)
  })

  it('requires exactly the bytes that the charter’s dtype gives', () => {
    const elements = shard.rank * (shard.inFeatures + shard.outFeatures)
    for (const [dtype, totalBytes] of [
      ['bf16', 2 * elements],
      ['int8', elements + 8 * shard.rank]
    ] as const) {
      const context = { ...table.context, charter: { ...table.context.charter, dtype } }
      assert.equal(manifestFault(context, 1, { ...body, dtype, totalBytes }), undefined)
      for (const other of [totalBytes - 1, totalBytes + 1, 4 * elements])
        assert.match(manifestFault(context, 1, { ...body, dtype, totalBytes: other })!, /its ranks give/)
    }
  })

  it('never throws, for any numbers in a manifest and any charter', () => {
    const { charter } = table.context
    const wide = { ...charter, rank: { min: 1, max: 2 ** 16 }, sampleCap: 2 ** 40 }
    wide.base = { ...charter.base, modules: [{ ...shard, inFeatures: 2 ** 24, outFeatures: 2 ** 24 }] }
    const context = { ...table.context, charter: wide }
    const number = fc.oneof(
      fc.maxSafeNat(),
      fc.constantFrom(1, 8, 2 ** 16, 2 ** 24, 2 ** 52, Number.MAX_SAFE_INTEGER)
    )
    const shards = fc.array(
      fc.record({ rank: number, alpha: number, inFeatures: number, outFeatures: number }),
      { minLength: 1, maxLength: 3 }
    )
    fc.assert(
      fc.property(shards, number, number, (numbers, samples, totalBytes) => {
        const made = {
          ...body,
          samples,
          totalBytes,
          shards: numbers.map((changes) => ({ ...shard, ...changes }))
        }
        if (bodySchemas.manifest.safeParse(made).success)
          for (const of of [
            context,
            table.context,
            { ...context, charter: { ...wide, dtype: 'int8' as const } }
          ])
            assert.notEqual(typeof manifestFault(of, 1, made), 'object')
      })
    )
  })

  it('lists each of its blocks once', () => {
    const other = digestOf('another block')
    const [block] = shard.blocks as [Uint8Array]
    const made = { ...body, shards: [{ ...shard, blocks: [block, other, block] }] }
    assert.deepEqual(blocksOf(made), [block, other])
  })
})

describe('the held-out check (rule 2)', () => {
  const veto = new ScriptedConsortium(4, { heldOutVeto: { margin: 0.25 } })
  const manifest = veto.manifest(1)
  /** What a member does with a manifest that changes its held-out loss so. */
  const measured = (at: ScriptedConsortium, heldOut: HeldOutLoss | undefined) => {
    const seat = at.sit(0)
    seat.hear(at.manifest(1))
    seat.take({ type: 'blocksHeld', manifest: at.manifest(1).id, fault: undefined, heldOut })
    return seat
  }

  it('refuses an update that raises the loss by more than the margin, or makes it NaN, and gives the reason', () => {
    for (const after of [4.26, 100, Number.NaN, Number.POSITIVE_INFINITY]) {
      const seat = measured(veto, { before: 4, after })
      assert.deepEqual(seat.said('endorsement'), [], `${after}`)
      assert.match(seat.done('refused')[0]!.reason, /raises the held-out loss from 4 to .* charter's 0\.25/)
    }
  })

  it('endorses other updates, and those that were not measured', () => {
    for (const heldOut of [undefined, { before: 4, after: 4.25 }, { before: 4, after: 1 }])
      assert.equal(measured(veto, heldOut).said('endorsement').length, 1)
  })

  it('is advisory unless the charter makes it a veto', () => {
    const advisory = new ScriptedConsortium(4)
    assert.equal(advisory.context.charter.heldOutVeto, false)
    assert.equal(measured(advisory, { before: 1, after: 9 }).said('endorsement').length, 1)
  })

  it('yields to the quorum: a member that refuses still stacks what others certified', () => {
    const seat = measured(veto, { before: 1, after: 9 })
    seat.learn(veto.certificate(manifest, [1, 2, 3]))
    seat.hear(...[1, 2, 3].map((member) => veto.ready(member, [1])))
    assert.deepEqual(seat.said('endorsement'), [])
    const view = seat.state.view
    seat.hear(veto.proposal(view, veto.cut([manifest]), [1, 2, 3]))
    const cut = cutId(veto.context, veto.cut([manifest]))
    assert.deepEqual(seat.said('prevote')[0]?.body.cut, cut)
    for (const kind of ['prevote', 'precommit'] as const)
      seat.hear(...[1, 2, 3].map((member) => veto.said(member, kind, view, { cut })))
    assert.equal(seat.done('build').length, 1)
  })
})
