import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AdapterError } from '../../../../src/adapter/pair/adapter-error.ts'
import { decodeAdapterFile, encodeAdapterFile } from '../../../../src/adapter/peft/adapter-file.ts'
import { adapterFromTensors } from '../../../../src/adapter/peft/adapter-tensors.ts'
import { decodePeftFolder, encodePeftFolder } from '../../../../src/adapter/peft/peft-folder.ts'
import { parsePeftKey, peftKey } from '../../../../src/adapter/peft/peft-keys.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../../src/formats/safetensors/safetensors.ts'
import { anyAdapter, finiteFloat, pairOf } from '../arbitraries.ts'

const samplePair = fc.sample(
  pairOf({ module: 'model.layers.0.q_proj', inFeatures: 3, outFeatures: 2 }, finiteFloat),
  {
    numRuns: 1,
    seed: 1
  }
)[0]!

describe('PEFT keys', () => {
  it('round-trip, and nothing else is parsed', () => {
    assert.equal(
      peftKey('model.layers.0.q_proj', 'A'),
      'base_model.model.model.layers.0.q_proj.lora_A.weight'
    )
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z_.]{1,20}$/),
        fc.constantFrom('A' as const, 'B' as const),
        (module, factor) => {
          assert.deepEqual(parsePeftKey(peftKey(module, factor)), { module, factor })
        }
      )
    )
    for (const key of [
      '',
      'model.q.lora_A.weight',
      'base_model.model..lora_A.weight',
      'base_model.model.q.lora_C.weight'
    ]) {
      assert.equal(parsePeftKey(key), undefined)
    }
  })
})

describe('an adapter file', () => {
  it('returns the adapter, its ranks, alphas and samples', () => {
    fc.assert(
      fc.property(anyAdapter, fc.integer({ min: 1, max: 2 ** 40 }), (adapter, samples) => {
        assert.deepEqual(decodeAdapterFile(encodeAdapterFile({ adapter, samples })), { adapter, samples })
      })
    )
  })

  it('stores rank, alpha and samples as decimal strings', () => {
    const adapter = { pairs: [{ ...samplePair, alpha: 2.5 }] }
    const { metadata } = decodeSafetensors(encodeAdapterFile({ adapter, samples: 12 }))
    assert.deepEqual(metadata, { rank: String(samplePair.rank), alpha: '2.5', samples: '12' })
  })

  it('refuses missing or inconsistent metadata', () => {
    const { tensors, metadata } = decodeSafetensors(
      encodeAdapterFile({ adapter: { pairs: [samplePair] }, samples: 12 })
    )
    const { alpha: _, ...withoutAlpha } = metadata
    assert.throws(
      () => decodeAdapterFile(encodeSafetensors(tensors, { metadata: withoutAlpha })),
      /alpha is missing/
    )
    for (const samples of ['0', '1.5', '-3', 'many', '1e400', '']) {
      const file = encodeSafetensors(tensors, { metadata: { ...metadata, samples } })
      assert.throws(() => decodeAdapterFile(file), AdapterError)
    }
    const file = encodeSafetensors(tensors, { metadata: { ...metadata, rank: String(samplePair.rank + 1) } })
    assert.throws(() => decodeAdapterFile(file), /its metadata says/)
  })
})

describe('adapter tensors', () => {
  it('must come in matching pairs', () => {
    const [keyA, keyB] = [peftKey('m', 'A'), peftKey('m', 'B')]
    const tensor = (...shape: number[]) => ({
      shape,
      data: new Float32Array(shape.reduce((p, n) => p * n, 1))
    })
    assert.throws(() => adapterFromTensors(new Map([[keyA, tensor(1, 2)]])), /m has A but no B/)
    assert.throws(() => adapterFromTensors(new Map([[keyB, tensor(2, 1)]])), /m has B but no A/)
    assert.throws(
      () => adapterFromTensors(new Map([['lm_head.weight', tensor(1, 2)]])),
      /not a key of a LoRA factor/
    )
    const ranks = new Map([
      [keyA, tensor(1, 2)],
      [keyB, tensor(2, 2)]
    ])
    assert.throws(() => adapterFromTensors(ranks), /A has rank 1, B has rank 2/)
    assert.throws(() => adapterFromTensors(new Map([[keyA, tensor(4)]])), /1 dimensions/)
  })
})

describe('a PEFT folder', () => {
  it('returns the adapter, with ranks and alphas that differ by module', () => {
    fc.assert(
      fc.property(anyAdapter, fc.boolean(), (adapter, rsLora) => {
        const { config, weights } = encodePeftFolder(adapter, 'loam/base', rsLora)
        const parsed: unknown = JSON.parse(JSON.stringify(config))
        const { names: _, ...read } = decodePeftFolder(parsed, weights)
        assert.deepEqual(read, { adapter, rsLora, baseModel: 'loam/base', copies: new Map() })
        assert.deepEqual(decodeSafetensors(weights).metadata, { format: 'pt' })
      })
    )
  })

  it("reads rank patterns that match a module's dotted suffix, as PEFT writes them", () => {
    const adapter = { pairs: [{ ...samplePair, alpha: 7 }] }
    const { weights } = encodePeftFolder(adapter, 'base')
    const config = {
      peft_type: 'LORA',
      r: 99,
      lora_alpha: 1,
      rank_pattern: { q_proj: samplePair.rank },
      alpha_pattern: { '0.q_proj': 7 }
    }
    assert.deepEqual(decodePeftFolder(config, weights).adapter, adapter)
  })

  it('refuses what it would misread', () => {
    const { config, weights } = encodePeftFolder({ pairs: [samplePair] }, 'base')
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ peft_type: 'IA3' }, /peft_type/],
      [{ use_dora: true }, /use_dora: true says that the adapter is DoRA.*merge_and_unload/],
      [{ bias: 'all' }, /biases/],
      [{ r: samplePair.rank + 1 }, /adapter_config.json says/],
      [{ r: 0.5 }, /✖/],
      [
        { rank_pattern: { '(a+)+$': 2 } },
        /pattern "\(a\+\)\+\$" is not supported \(matching some names could take exponential/
      ]
    ]
    for (const [change, message] of cases) {
      assert.throws(
        () => decodePeftFolder({ ...config, ...change }, weights),
        (error) => error instanceof AdapterError && message.test(error.message)
      )
    }
    assert.throws(() => decodePeftFolder(null, weights), AdapterError)
  })
})
