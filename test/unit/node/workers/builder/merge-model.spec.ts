import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoraAdapter, type LoraPair, mergeAdapter } from '../../../../../src/adapter/index.ts'
import {
  BlockListHash,
  blockListDigest,
  encodeSafetensors,
  modelDigest,
  type Tensor
} from '../../../../../src/formats/index.ts'
import { type LinearWeights, openModuleWeights } from '../../../../../src/model/index.ts'
import { mergedModelChunks, NotFiniteError } from '../../../../../src/node/workers/builder/merge-model.ts'
import { mergeThreads } from '../../../../../src/node/workers/builder/merge-threads.ts'

const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.fround((((i * 7919 + seed) % 2003) - 1001) / 977))

function pairOf(module: string, rows: number, columns: number, rank: number): LoraPair {
  const [A, B] = [numbers(rank * columns, 5), numbers(rows * rank, 7)]
  return { module, rank, alpha: rank, inFeatures: columns, outFeatures: rows, A, B }
}

describe('merging a model', () => {
  const threads = mergeThreads(2)
  /** `wide` does not fit into one piece of memory. */
  const modules = new Map<string, Tensor>([
    ['large', { shape: [600, 900], data: numbers(600 * 900, 1) }],
    ['small', { shape: [3, 5], data: numbers(15, 2) }],
    ['untouched', { shape: [2, 2], data: numbers(4, 3) }],
    ['wide', { shape: [4300, 1000], data: numbers(4300 * 1000, 4) }]
  ])
  const adapter = {
    pairs: [pairOf('large', 600, 900, 40), pairOf('small', 3, 5, 2), pairOf('wide', 4300, 1000, 3)]
  }
  let folder: string
  let weights: LinearWeights
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-merge-'))
    const file = join(folder, 'model.safetensors')
    const named = [...modules].map(([module, weight]) => [`${module}.weight`, weight] as const)
    writeFileSync(file, encodeSafetensors(new Map(named)))
    weights = openModuleWeights(file)
  })
  after(async () => {
    weights.close()
    rmSync(folder, { recursive: true })
    await threads.stop()
  })

  const digestOf = async (update: LoraAdapter): Promise<string> => {
    const hash = new BlockListHash()
    for await (const chunk of mergedModelChunks(weights, [...modules.keys()], update, threads))
      hash.update(chunk)
    return Buffer.from(blockListDigest(hash.list())).toString('hex')
  }

  it('gives the digest of a merge at once and on one thread', async () => {
    assert.equal(await digestOf(adapter), modelDigest(mergeAdapter(modules, adapter).modules))
  })

  it('throws for a non-finite result', async () => {
    const pairs = adapter.pairs.map((pair) => ({
      ...pair,
      B: pair.B.slice().fill(Number.POSITIVE_INFINITY, 0, 1)
    }))
    await assert.rejects(digestOf({ pairs }), NotFiniteError)
  })

  it('refuses a module that the base lacks, and one of another shape', async () => {
    for (const pair of [pairOf('absent', 3, 5, 2), pairOf('small', 5, 3, 2)]) {
      const chunks = mergedModelChunks(weights, ['small'], { pairs: [pair] }, threads)
      await assert.rejects(chunks.next(), /no weight of absent|small is \[3, 5\] in the base, \[5, 3\]/)
    }
  })
})
