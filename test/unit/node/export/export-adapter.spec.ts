import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type LoraAdapter, mergeAdapter, stackAdapters } from '../../../../src/adapter/index.ts'
import { encodeSafetensors, modelDigest, stackDigest, type TensorMap } from '../../../../src/formats/index.ts'
import { loadBaseModel } from '../../../../src/model/index.ts'
import { moduleWeights } from '../../../../src/node/consortium/charter-base.ts'
import {
  type ExportFormat,
  type ExportOptions,
  exportAdapter,
  type RoundSpan
} from '../../../../src/node/export/export-adapter.ts'
import { importAdapter } from '../../../../src/node/export/import-adapter.ts'
import { readPeftFolder } from '../../../../src/node/export/peft-files.ts'
import { type Home, roundFiles } from '../../../../src/node/home/home.ts'
import { openRoundStore } from '../../../../src/node/home/round-store.ts'
import { PeerError } from '../../../../src/node/storage/peer-error.ts'
import { decodeGguf } from '../../../support/gguf-reader.ts'
import { MODEL, oneMember, sealRound } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

const base = loadBaseModel(MODEL)

/** A rank-2 adapter on the charter's modules that differs from round to round. */
function roundAdapter(modules: readonly string[], round: number): LoraAdapter {
  const filled = (length: number, step: number) =>
    Float32Array.from({ length }, (_, index) => Math.sin(index * step + round) / 50)
  return {
    pairs: modules.map((module) => {
      const [outFeatures, inFeatures] = base.weights.get(`${module}.weight`)!.shape as [number, number]
      const factors = { A: filled(2 * inFeatures, 0.7), B: filled(outFeatures * 2, 1.3) }
      return { module, rank: 2, alpha: 4, inFeatures, outFeatures, ...factors }
    })
  }
}

/** A home with sealed rounds, and the target modules after them. */
async function sealedHome(home: Home, rounds: number): Promise<TensorMap> {
  const member = await oneMember(home)
  const store = await openRoundStore(home, member.charter)
  const names = member.charter.charter.base.modules.map(({ module }) => module)
  let modules: TensorMap = moduleWeights(base, names)
  for (let round = 1; round <= rounds; round++) {
    const author = member.identity.signer.peer
    const stack = stackAdapters([{ author, samples: 3, adapter: roundAdapter(names, round) }])
    modules = mergeAdapter(modules, stack.adapter).modules
    const digests = {
      stack: Buffer.from(stackDigest(stack.tensors), 'hex'),
      model: Buffer.from(modelDigest(modules), 'hex')
    }
    const files = roundFiles(home, round)
    await mkdir(files.folder, { recursive: true })
    await writeFile(files.stack, encodeSafetensors(stack.tensors))
    const named = new Map([...modules].map(([module, weight]) => [`${module}.weight`, weight]))
    await writeFile(files.model, encodeSafetensors(named))
    await store.save(store.head, sealRound(member, store.head, digests))
  }
  return modules
}

describe('exporting the adapter', function () {
  this.timeout(60_000)
  const inHome = async (test: (home: Home, run: typeof exportIn) => Promise<void>) => {
    const { home, remove } = await temporaryHome()
    await test(home, exportIn).finally(remove)
  }
  const exportIn = (home: Home, format: ExportFormat, options: Partial<ExportOptions> = {}) =>
    exportAdapter(home, {
      format,
      folder: join(home.folder, 'out', format),
      baseFolder: MODEL,
      baseName: 'base',
      ...options
    })

  it('as a merged folder gives the sealed model bit for bit, with the other weights of the base', () =>
    inHome(async (home, run) => {
      const modules = await sealedHome(home, 2)
      const { folder, rounds, rank, error } = await run(home, 'merged')
      assert.deepEqual({ rounds, rank, error }, { rounds: [1, 2], rank: null, error: 0 })
      const merged = loadBaseModel(folder)
      for (const [name, { data }] of merged.weights) {
        const expected = modules.get(name.replace(/\.weight$/, '')) ?? base.weights.get(name)!
        assert.deepEqual(data, expected.data, name)
      }
      assert.equal(merged.tokenizer.decode(merged.tokenizer.encode('Loam')), 'Loam')
      await assert.rejects(run(home, 'merged'), /is not empty \(config\.json.*--overwrite/)
      await writeFile(join(folder, 'model-00001-of-00002.safetensors'), 'an earlier one')
      await writeFile(join(folder, 'notes.txt'), 'own')
      await run(home, 'merged', { overwrite: true, dtype: 'BF16' })
      const files = await readdir(folder)
      assert.deepEqual(
        ['model-00001-of-00002.safetensors', 'notes.txt'].map((name) => files.includes(name)),
        [false, true]
      )
      assert.equal(loadBaseModel(folder).weights.size, merged.weights.size)
    }))

  it('as a PEFT folder gives the same model, also for a range of rounds', () =>
    inHome(async (home, run) => {
      const modules = await sealedHome(home, 2)
      const all = await readPeftFolder((await run(home, 'peft')).folder)
      const before = moduleWeights(base, [...modules.keys()])
      for (const [module, { data }] of mergeAdapter(before, all).modules)
        for (const [index, value] of data.entries())
          assert.ok(Math.abs(value - modules.get(module)!.data[index]!) < 1e-6)
      const second = await run(home, 'peft', {
        folder: join(home.folder, 'second'),
        rounds: { first: 2, last: 2 }
      })
      assert.deepEqual([second.rounds, second.rank], [[2], 2])
      await assert.rejects(run(home, 'peft', { rounds: { first: 2, last: 3 } }), /round 3 does not exist/)
    }))

  it('as PEFT folders, imported round by round, gives the bytes of the merged folder', () =>
    inHome(async (home, run) => {
      await sealedHome(home, 2)
      const bytesOf = (folder: string) => readFile(join(folder, 'model.safetensors'))
      const importInto = async (name: string, rounds: RoundSpan, baseFolder: string) => {
        const { folder } = await run(home, 'peft', { folder: join(home.folder, `peft-${name}`), rounds })
        const out = join(home.folder, name)
        await importAdapter(folder, { baseFolder, out, dtype: 'F32' })
        return out
      }
      const merged = await bytesOf((await run(home, 'merged')).folder)
      const first = await importInto('first', { first: 1, last: 1 }, MODEL)
      const folder = join(home.folder, 'merged-first')
      const mergedFirst = await bytesOf(
        (await run(home, 'merged', { folder, rounds: { first: 1, last: 1 } })).folder
      )
      assert((await bytesOf(first)).equals(mergedFirst))
      assert((await bytesOf(await importInto('second', { first: 2, last: 2 }, first))).equals(merged))
      // At once, both rounds are summed before the one addition to the weight: another rounding, by design.
      const atOnce = await bytesOf(await importInto('both', { first: 1, last: 2 }, MODEL))
      assert.equal(atOnce.length, merged.length)
      assert(!atOnce.equals(merged))
    }))

  it('with a smaller rank reports the error, and the result can be imported into the base', () =>
    inHome(async (home, run) => {
      await sealedHome(home, 2)
      const { folder, rank, error } = await run(home, 'peft', { maxRank: 1, dtype: 'F16' })
      assert.equal(rank, 1)
      assert.ok(error > 0 && error < 1)
      const out = join(home.folder, 'warm')
      // The adapter would be removed before it is read.
      const replacing = { baseFolder: MODEL, out: folder, dtype: 'BF16', overwrite: true } as const
      await assert.rejects(importAdapter(folder, replacing), /is the folder of the adapter: choose another/)
      const imported = await importAdapter(folder, { baseFolder: MODEL, out, dtype: 'BF16' })
      assert.deepEqual([imported.ranks, imported.scales, imported.baseModel], [[1], [1], 'base'])
      assert.ok((await readdir(out)).includes('tokenizer.json'))
      const config = JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))
      assert.equal(config.torch_dtype, 'bfloat16')
      assert.equal(loadBaseModel(out).weights.size, base.weights.size)
    }))

  it('as GGUF writes the adapter, or the model with its tokenizer', () =>
    inHome(async (home, run) => {
      const modules = await sealedHome(home, 1)
      const read = async (folder: string, file: string) => decodeGguf(await readFile(join(folder, file)))
      const adapter = await read((await run(home, 'gguf')).folder, 'adapter.gguf')
      assert.equal(adapter.tensors.size, 2 * modules.size)
      const { metadata, tensors } = await read((await run(home, 'merged-gguf')).folder, 'model.gguf')
      assert.equal(tensors.size, base.weights.size)
      const tokens = metadata.get('tokenizer.ggml.tokens')!.value as string[]
      assert.equal(tokens.length, base.config.vocabularySize)
      assert.deepEqual(tensors.get('token_embd.weight'), base.weights.get('model.embed_tokens.weight'))
    }))

  it('derives model and adapter from the weights when stacks are gone', () =>
    inHome(async (home, run) => {
      const modules = await sealedHome(home, 2)
      for (const round of [1, 2]) await rm(roundFiles(home, round).stack)
      const { folder } = await run(home, 'merged')
      const merged = loadBaseModel(folder)
      for (const [module, { data }] of modules)
        assert.deepEqual(merged.weights.get(`${module}.weight`)!.data, data)
      const before = moduleWeights(base, [...modules.keys()])
      const spans = [
        { rounds: undefined, from: before, rank: 4 },
        { rounds: { first: 2, last: 2 }, from: undefined, rank: 2 }
      ]
      for (const { rounds, from, rank } of spans) {
        const name = String(rank)
        const options = { rounds, maxRank: rank, folder: join(home.folder, name) }
        const exported = await run(home, 'peft', options)
        assert.equal(exported.rank, rank)
        // The weights were rounded to float32 in each round.
        assert(exported.error > 0 && exported.error < 1e-4, String(exported.error))
        assert.match(exported.notes!.join(), /the stacks of round\(s\).*are not here/)
        const adapter = await readPeftFolder(exported.folder)
        if (from === undefined) continue
        for (const [module, { data }] of mergeAdapter(from, adapter).modules)
          for (const [index, value] of data.entries())
            assert(Math.abs(value - modules.get(module)!.data[index]!) < 1e-6)
      }
      assert((await run(home, 'gguf', { maxRank: 1 })).error > 0.01)
      await rm(roundFiles(home, 1).model)
      await assert.rejects(
        run(home, 'peft', { rounds: { first: 2, last: 2 }, overwrite: true }),
        /rounds\/1\/model\.safetensors is missing/
      )
    }))

  it('refuses what is missing or differs from the seal', () =>
    inHome(async (home, run) => {
      await assert.rejects(run(home, 'peft'), /is not the home of a peer/)
      await sealedHome(home, 1)
      await writeFile(roundFiles(home, 1).model, 'damaged')
      await assert.rejects(run(home, 'merged'), /differs from the sealed model/)
      await writeFile(roundFiles(home, 1).stack, 'damaged')
      await assert.rejects(run(home, 'peft'), PeerError)
    }))
})
