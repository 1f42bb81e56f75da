import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ggufLora } from '../../../../src/adapter/gguf/gguf-lora.ts'
import type { LoraPair } from '../../../../src/adapter/pair/lora-adapter.ts'
import { FormatError } from '../../../../src/formats/format-error.ts'
import {
  type GgufArchitecture,
  type GgufLayout,
  ggufModules,
  ggufParts
} from '../../../../src/formats/gguf/llama-names.ts'
import { decodeGguf, encodeGguf } from '../../../support/gguf-reader.ts'
import { pairOf } from '../arbitraries.ts'

const llama: GgufArchitecture = { name: 'llama', heads: 2, keyValueHeads: 1 }
const layer = 'model.layers.3.self_attn'

/** A pair of a module [8, in] whose B has row i filled with i. */
function countedPair(module: string, rank: number, alpha: number): LoraPair {
  const B = Float32Array.from({ length: 8 * rank }, (_, index) => Math.floor(index / rank))
  const A = Float32Array.from({ length: rank * 3 }, (_, index) => index + 1)
  return { module, rank, alpha, inFeatures: 3, outFeatures: 8, A, B }
}

describe('tensor names and row order in GGUF', () => {
  it('match llama.cpp', () => {
    const named = (module: string, layout?: GgufLayout) =>
      ggufModules(module, { ...llama, ...(layout && { layout }) })
    assert.deepEqual(named(`${layer}.q_proj`), ['blk.3.attn_q'])
    assert.deepEqual(named('model.layers.0.mlp.down_proj'), ['blk.0.ffn_down'])
    assert.deepEqual(named('model.language_model.layers.0.mlp.down_proj'), ['blk.0.ffn_down'])
    assert.deepEqual(named('model.embed_tokens'), ['token_embd'])
    assert.deepEqual(named('lm_head'), ['output'])
    assert.deepEqual(named('model.last', { others: { last: 'token_embd_norm' } }), ['token_embd_norm'])
    assert.throws(() => named('transformer.h.0.attn.c_attn'), FormatError)
    assert.throws(() => named('model.layers.0.norm'), FormatError)
  })

  it('split a module evenly that is two tensors in GGUF', () => {
    const layout = { modules: { 'mlp.both': ['ffn_gate', 'ffn_up'] } }
    const rows = { shape: [4, 1], data: Float32Array.from([1, 2, 3, 4]) }
    assert.deepEqual(ggufParts('model.layers.1.mlp.both', rows, { ...llama, layout }), [
      ['blk.1.ffn_gate', { shape: [2, 1], data: Float32Array.from([1, 2]) }],
      ['blk.1.ffn_up', { shape: [2, 1], data: Float32Array.from([3, 4]) }]
    ])
    const odd = { shape: [3], data: new Float32Array(3) }
    assert.throws(() => ggufParts('model.layers.1.mlp.both', odd, { ...llama, layout }), /2 equal parts/)
  })

  it('interleave the halves of every head of q and k, and nothing else', () => {
    const rows = { shape: [8], data: Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]) }
    const moved = (module: string, architecture = llama) => [
      ...ggufParts(module, rows, architecture)[0]![1].data
    ]
    assert.deepEqual(moved(`${layer}.q_proj`), [0, 2, 1, 3, 4, 6, 5, 7])
    assert.deepEqual(moved(`${layer}.k_proj`), [0, 4, 1, 5, 2, 6, 3, 7])
    assert.deepEqual(moved(`${layer}.v_proj`), [...rows.data])
    assert.deepEqual(moved(`${layer}.q_proj`, { ...llama, name: 'qwen2' }), [...rows.data])
  })

  it('refuse rows that do not divide into whole heads', () => {
    const rows = { shape: [6], data: new Float32Array(6) }
    assert.throws(
      () => ggufParts(`${layer}.q_proj`, rows, llama),
      /6 rows cannot be divided into 2 heads of even size/
    )
  })
})

describe('a GGUF adapter', () => {
  it('reads back with the keys that llama.cpp looks for', () => {
    const adapter = { pairs: [countedPair(`${layer}.q_proj`, 2, 2)] }
    const { metadata, tensors } = decodeGguf(encodeGguf(ggufLora(adapter, llama, 'mine')))
    assert.deepEqual(Object.fromEntries([...metadata].map(([key, { value }]) => [key, value])), {
      'general.type': 'adapter',
      'general.architecture': 'llama',
      'general.name': 'mine',
      'adapter.type': 'lora',
      'adapter.lora.alpha': 2
    })
    assert.deepEqual([...tensors.keys()], ['blk.3.attn_q.weight.lora_a', 'blk.3.attn_q.weight.lora_b'])
    assert.deepEqual(tensors.get('blk.3.attn_q.weight.lora_a')!.shape, [2, 3])
    const b = tensors.get('blk.3.attn_q.weight.lora_b')!
    assert.deepEqual(b.shape, [8, 2])
    assert.deepEqual([...b.data], [0, 0, 2, 2, 1, 1, 3, 3, 4, 4, 6, 6, 5, 5, 7, 7])
  })

  it('applies the scale of every module, although the file stores one alpha', () => {
    const shape = { module: `${layer}.v_proj`, inFeatures: 3, outFeatures: 8 }
    const other = { module: `${layer}.o_proj`, inFeatures: 3, outFeatures: 8 }
    const element = fc.integer({ min: -8, max: 8 })
    fc.assert(
      fc.property(pairOf(shape, element), pairOf(other, element), (first, second) => {
        const { metadata, tensors } = ggufLora({ pairs: [first, second] }, llama, 'x')
        const alpha = metadata.get('adapter.lora.alpha')!.value as number
        for (const pair of [first, second]) {
          const a = tensors.get(`${ggufModules(pair.module, llama)[0]}.weight.lora_a`)!.data
          for (const [index, value] of pair.A.entries()) {
            const wanted = (pair.alpha / pair.rank) * value
            assert.ok(Math.abs((alpha / pair.rank) * a[index]! - wanted) <= 1e-6 * Math.abs(wanted))
          }
        }
      })
    )
  })

  it('needs at least one module', () => {
    assert.throws(() => ggufLora({ pairs: [] }, llama, 'x'), FormatError)
  })
})
