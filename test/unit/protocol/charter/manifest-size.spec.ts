import assert from 'node:assert/strict'
import { idealSigner } from '../../../../sim/consortium/ideal-signatures.ts'
import { digestOf, simulatedConsortium } from '../../../../sim/consortium/simulated-consortium.ts'
import { blockCount, shardByteLength } from '../../../../src/adapter/shard/shard.ts'
import { checkCharter } from '../../../../src/protocol/charter/charter.ts'
import { SEALED_ROUND_BYTES_MAX } from '../../../../src/protocol/charter/limits.ts'
import { manifestBytesMax, stackedMax } from '../../../../src/protocol/charter/manifest-size.ts'
import type { Manifest } from '../../../../src/protocol/messages/bodies.ts'
import { signMessage } from '../../../../src/protocol/messages/message.ts'
import { genesisContext } from '../../../../src/protocol/round/context.ts'

const modules = (count: number, features: number) =>
  Array.from({ length: count }, (_, index) => ({
    module: `model.layers.${String(index).padStart(4, '0')}.self_attn.q_proj`,
    inFeatures: features,
    outFeatures: features
  }))

describe('the limits of a sealed round (rule 15)', () => {
  it('include the exact longest encoding of a manifest', () => {
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
