import assert from 'node:assert/strict'
import { type LoraPair, mergeAdapter, modelDigest, type Tensor } from '../../../../src/adapter/index.ts'
import { mergeModules } from '../../../../src/node/builder/merge-modules.ts'
import { mergeThreads } from '../../../../src/node/builder/merge-threads.ts'

const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.fround((((i * 7919 + seed) % 2003) - 1001) / 977))

function pairOf(module: string, rows: number, columns: number, rank: number): LoraPair {
  const [A, B] = [numbers(rank * columns, 5), numbers(rows * rank, 7)]
  return { module, rank, alpha: rank, inFeatures: columns, outFeatures: rows, A, B }
}

describe('the merge of a model', () => {
  const threads = mergeThreads(2)
  const modules = new Map<string, Tensor>([
    ['large', { shape: [600, 900], data: numbers(600 * 900, 1) }],
    ['small', { shape: [3, 5], data: numbers(15, 2) }],
    ['untouched', { shape: [2, 2], data: numbers(4, 3) }]
  ])
  const adapter = { pairs: [pairOf('large', 600, 900, 40), pairOf('small', 3, 5, 2)] }
  after(() => threads.stop())

  it('has the digest of the merge on one thread, and leaves the base as it was', async () => {
    const before = modelDigest(modules)
    const merged = await mergeModules(modules, { adapter, residual: new Map() }, threads)
    assert(merged.finite)
    assert.equal(modelDigest(merged.modules), modelDigest(mergeAdapter(modules, adapter).modules))
    assert.equal(merged.modules.get('untouched'), modules.get('untouched'))
    assert.equal(modelDigest(modules), before)
  })

  it('adds a dense residual first, and tells of what is not finite', async () => {
    const residual = new Map([['small', { shape: [3, 5], data: numbers(15, 9) }]])
    const { modules: merged } = await mergeModules(modules, { adapter, residual }, threads)
    const based = new Map(modules)
    const sum = modules.get('small')!.data.map((value, i) => value + residual.get('small')!.data[i]!)
    based.set('small', { shape: [3, 5], data: sum })
    assert.equal(modelDigest(merged), modelDigest(mergeAdapter(based, adapter).modules))
    residual.get('small')!.data[3] = Number.POSITIVE_INFINITY
    assert(!(await mergeModules(modules, { adapter, residual }, threads)).finite)
  })

  it('refuses a module that the base lacks', async () => {
    const wrong = { pairs: [pairOf('absent', 3, 5, 2)] }
    await assert.rejects(
      mergeModules(modules, { adapter: wrong, residual: new Map() }, threads),
      /no module absent/
    )
  })
})
