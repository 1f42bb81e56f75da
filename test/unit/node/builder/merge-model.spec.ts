import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  encodeSafetensors,
  type LoraPair,
  mergeAdapter,
  modelDigest,
  type Tensor,
  type TensorMap
} from '../../../../src/adapter/index.ts'
import { type LinearWeights, openModuleWeights } from '../../../../src/model/index.ts'
import { mergedModelChunks, NotFiniteError } from '../../../../src/node/builder/merge-model.ts'
import { mergeThreads } from '../../../../src/node/builder/merge-threads.ts'

const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.fround((((i * 7919 + seed) % 2003) - 1001) / 977))

function pairOf(module: string, rows: number, columns: number, rank: number): LoraPair {
  const [A, B] = [numbers(rank * columns, 5), numbers(rows * rank, 7)]
  return { module, rank, alpha: rank, inFeatures: columns, outFeatures: rows, A, B }
}

describe('the merge of a model', () => {
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

  const digestOf = async (residual: TensorMap): Promise<string> => {
    const hash = createHash('sha256')
    for await (const chunk of mergedModelChunks(
      weights,
      [...modules.keys()],
      { adapter, residual: new Map(residual) },
      threads
    ))
      hash.update(chunk)
    return hash.digest('hex')
  }

  it('has the digest of the merge at once and on one thread', async () => {
    assert.equal(await digestOf(new Map()), modelDigest(mergeAdapter(modules, adapter).modules))
  })

  it('adds a dense residual first, and tells of what is not finite', async () => {
    const dense = new Map([
      ['small', { shape: [3, 5], data: numbers(15, 9) }],
      ['wide', { shape: [4300, 1000], data: numbers(4300 * 1000, 11) }]
    ])
    const based = new Map(modules)
    for (const [module, { shape, data }] of dense)
      based.set(module, { shape, data: modules.get(module)!.data.map((value, i) => value + data[i]!) })
    assert.equal(await digestOf(dense), modelDigest(mergeAdapter(based, adapter).modules))
    dense.get('wide')!.data[4_299_999] = Number.POSITIVE_INFINITY
    await assert.rejects(digestOf(dense), NotFiniteError)
  })

  it('refuses a module that the base lacks, and one of another shape', async () => {
    for (const pair of [pairOf('absent', 3, 5, 2), pairOf('small', 5, 3, 2)]) {
      const chunks = mergedModelChunks(
        weights,
        ['small'],
        { adapter: { pairs: [pair] }, residual: new Map() },
        threads
      )
      await assert.rejects(chunks.next(), /no weight of absent|small is \[3, 5\] in the base, \[5, 3\]/)
    }
  })
})
