import assert from 'node:assert/strict'
import { idealSigner } from '../../../../sim/ideal-signatures.ts'
import { digestOf, simulatedConsortium } from '../../../../sim/simulated-consortium.ts'
import { blockCount, shardByteLength } from '../../../../src/adapter/shard/shard.ts'
import { checkCharter } from '../../../../src/protocol/charter/charter.ts'
import {
  KIND_BYTES_MAX,
  manifestBytesMax,
  SEALED_ROUND_BYTES_MAX,
  stackedMax
} from '../../../../src/protocol/charter/limits.ts'
import { genesisContext } from '../../../../src/protocol/charter/round-context.ts'
import type { Manifest } from '../../../../src/protocol/messages/bodies.ts'
import { evidenceOf } from '../../../../src/protocol/messages/evidence.ts'
import type { Kind } from '../../../../src/protocol/messages/header.ts'
import { type Message, signMessage } from '../../../../src/protocol/messages/message.ts'
import { Table } from '../table.ts'

const modules = (count: number, features: number) =>
  Array.from({ length: count }, (_, index) => ({
    module: `model.layers.${String(index).padStart(4, '0')}.self_attn.q_proj`,
    inFeatures: features,
    outFeatures: features
  }))

describe('the limits of an envelope by kind (rule 15)', () => {
  it('leave room for the largest of each small kind', () => {
    const table = new Table(4)
    const digest = digestOf('digest')
    const attestation = (text: string) => ({ cut: digestOf(text), stack: digest, model: digest })
    const said = (attempt: number, text: string) =>
      table.said(1, 'attestation', attempt, attestation(text)) as Message
    const evidence = evidenceOf(said(0, 'a'), said(15, 'b'))!
    const { signer } = table.environment(0)
    const peer = signer.peer
    const request = {
      type: 'evict',
      peer,
      anchor: digest,
      seal: digest,
      model: digest,
      expiry: 2 ** 50
    } as const
    const sizes: Partial<Record<Kind, number>> = {
      endorsement: table.said(0, 'endorsement', 1, { manifest: digest }).bytes.length,
      ready: signMessage(table.context, signer, 'ready', 0, { certified: new Uint8Array(512) }).bytes.length,
      prevote: table.said(0, 'prevote', 2 ** 40, { cut: digest }).bytes.length,
      precommit: table.said(0, 'precommit', 2 ** 40, { cut: digest }).bytes.length,
      attestation: said(15, 'a').bytes.length,
      evidence: table.said(0, 'evidence', 1, evidence).bytes.length,
      'membership-vote': signMessage(table.context, signer, 'membership-vote', 7, {
        request,
        own: new Uint8Array(64),
        admit: new Uint8Array(64)
      }).bytes.length
    }
    for (const [kind, size] of Object.entries(sizes)) {
      assert.ok(size < KIND_BYTES_MAX[kind as Kind], `${kind}: ${size}`)
      assert.ok(size * 4 > KIND_BYTES_MAX[kind as Kind], `${kind}: ${size} leaves too much room`)
    }
  })
})

describe('the limits of a sealed round (rule 15)', () => {
  it('know the longest manifest of a charter, as it is really encoded', () => {
    const { charter } = simulatedConsortium(4).signed
    const wide = {
      ...charter,
      rank: { min: 1, max: 64 },
      base: { ...charter.base, modules: modules(40, 5000) }
    }
    const { signed } = simulatedConsortium(4, wide)
    const context = genesisContext(signed)
    const body: Manifest = {
      samples: 2 ** 40,
      dtype: 'f32',
      shards: wide.base.modules.map((module) => {
        const bytes = shardByteLength({ ...module, rank: 64, dtype: 'f32' })
        const blocks = new Array<Uint8Array>(blockCount(bytes)).fill(digestOf('block'))
        return { ...module, rank: 64, alpha: 127.3, blocks }
      }),
      totalBytes: 2 ** 40,
      reveal: digestOf('reveal')
    }
    const { bytes } = signMessage(context, idealSigner(context.members[0]!.peer), 'manifest', 0, body)
    const bound = manifestBytesMax(wide)
    assert.ok(bytes.length <= bound, `${bytes.length} > ${bound}`)
    assert.ok(bound < bytes.length * 1.2, `${bound} is far above ${bytes.length}`)
    assert.ok(stackedMax(wide) * bound < SEALED_ROUND_BYTES_MAX)
  })

  it('refuse a charter whose rounds could not be encoded, and say how many manifests fit', () => {
    const many = modules(600, 64)
    const { charter } = simulatedConsortium(80).signed
    assert.throws(
      () => checkCharter({ ...charter, base: { ...charter.base, modules: many } }),
      /at most 61 manifests/
    )
    assert.doesNotThrow(() =>
      checkCharter({ ...charter, trainers: 61, base: { ...charter.base, modules: many } })
    )
  })
})
