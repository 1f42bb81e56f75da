import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  type LoraAdapter,
  type LoraPair,
  mergeAdapter,
  SHARD_DTYPES,
  shardFromPair,
  stackAdapters
} from '../../src/adapter/index.ts'
import {
  encodeSafetensors,
  modelDigest,
  sha256Hex,
  stackDigest,
  type Tensor
} from '../../src/formats/index.ts'

/**
 * What may never change by accident: digests that were recorded once and that every later version reaches again. A
 * change of one of them is a change of the protocol's version, or of what a recorded training run gives.
 */
const RECORDED = {
  blocks: 'd882144ebabee5310114efe16ef7d16307237f74cf6253bc2ed1e422e2523d26',
  stack: '128154b9a5018bb05e8daa09a2d6eed4cfa5d785c074b1674def17e17401091f',
  /** SHA-256 of the merged model's canonical file, and of that file's block list, which is what a seal names. */
  model: '80862983e8c43a096e0a43cb65f40973af851c54a5ea3888bbbd77ed661d6101',
  sealedModel: '4fb813e4346aa766dab927d12d1d10bcfd2ffc8c872eac36b69d8b1305553fab',
  /** The stack of the same adapters where updates are clipped to the cut's median norm, and weights capped tighter. */
  clippedStack: '30215920cac8d2586086ad969e4ab1291457df4fcbce776b638199c8cce29ee9',
  training: '277fff099a0600cf8b2f2423ccd2f87310dc406ad5977823d945fd942db8aebe'
}

const MODULES = ['model.layers.0.mlp.down_proj', 'model.layers.0.self_attn.q_proj']
const IN = 24
const OUT = 16

/** Multiples of 2^-23 in [-1, 1) by a linear congruential generator: the same in every language. */
function numbers(seed: number, length: number): Float32Array {
  let state = seed >>> 0
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state >>> 8) / 2 ** 23 - 1
  })
}

function adapterOf(seed: number, rank: number): LoraAdapter {
  const pairs = MODULES.map(
    (module, index): LoraPair => ({
      module,
      rank,
      alpha: 2 * rank,
      inFeatures: IN,
      outFeatures: OUT,
      A: numbers(seed + index, rank * IN),
      B: numbers(seed + 100 + index, OUT * rank)
    })
  )
  return { pairs }
}

const members = [1, 2, 4].map((rank, index) => ({
  author: Uint8Array.of(3 - index),
  samples: 10 + 7 * index,
  adapter: adapterOf(1_000 * (index + 1), rank)
}))

describe('recorded digests', () => {
  it('of the blocks of fixed shards, in every element format', () => {
    const hash = createHash('sha256')
    for (const { adapter } of members)
      for (const pair of adapter.pairs)
        for (const dtype of SHARD_DTYPES)
          for (const { digest } of shardFromPair(pair, dtype).blocks) hash.update(digest)
    assert.equal(hash.digest('hex'), RECORDED.blocks)
  })

  it('of the stack of fixed adapters, and of a base with it merged in', () => {
    const stack = stackAdapters(members)
    assert.equal(stackDigest(stack.tensors), RECORDED.stack)
    const base = new Map<string, Tensor>(
      MODULES.map((module, index) => [module, { shape: [OUT, IN], data: numbers(77 + index, OUT * IN) }])
    )
    const { modules } = mergeAdapter(base, stack.adapter)
    const file = new Map([...modules].map(([module, weight]) => [`${module}.weight`, weight]))
    assert.equal(sha256Hex(encodeSafetensors(file)), RECORDED.model)
    assert.equal(modelDigest(modules), RECORDED.sealedModel)
  })

  it('of the stack of the same adapters, clipped', () => {
    const { tensors } = stackAdapters(members, { clip: 'median' })
    assert.equal(stackDigest(tensors), RECORDED.clippedStack)
  })

  it('of a LoRA training run with a fixed seed', async () => {
    const entry = fileURLToPath(new URL('./model/executor/train-digest.js', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [entry, 'onnxruntime-web', 'wasm', '1'], {
      timeout: 60_000
    })
    assert.equal(stdout, RECORDED.training)
  })
})
