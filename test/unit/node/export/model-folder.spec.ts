import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeSafetensors } from '../../../../src/formats/index.ts'
import { loadBaseModel } from '../../../../src/model/index.ts'
import { writeModelFolder } from '../../../../src/node/export/model-folder.ts'
import { familyCases, withSavedFolder } from '../../model/families/family-case.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../../model/tokenizers.ts'
import { MODEL } from '../one-member.ts'

describe('writing a model folder', () => {
  it('in several files with an index gives the model of one file, bit for bit', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'loam-model-folder-'))
    try {
      const base = loadBaseModel(MODEL)
      const total = [...base.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
      const fileBytesMax = Math.ceil(total / 3)
      const files = await writeModelFolder(folder, base, base.weights, { dtype: 'F32', fileBytesMax })
      const parts = files.filter((name) => name.endsWith('.safetensors'))
      assert.ok(parts.length >= 3, `${parts}`)
      const HEADER_BYTES = 64 * 1024
      for (const part of parts) assert.ok((await stat(join(folder, part))).size < fileBytesMax + HEADER_BYTES)
      const index = JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8'))
      assert.deepEqual([...new Set(Object.values(index.weight_map))].sort(), parts)
      const read = loadBaseModel(folder)
      assert.deepEqual([...read.weights.keys()].sort(), [...base.weights.keys()].sort())
      for (const [name, { shape, data }] of base.weights)
        assert.deepEqual(read.weights.get(name), { shape, data }, name)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('declares one dtype, under the key that the base uses', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'loam-model-folder-'))
    try {
      const source = join(folder, 'source')
      await cp(MODEL, source, { recursive: true })
      const path = join(source, 'config.json')
      const { torch_dtype: _, ...config } = JSON.parse(await readFile(path, 'utf8'))
      for (const [given, key] of [
        [{ dtype: 'bfloat16' }, 'dtype'],
        [{ dtype: 'bfloat16', torch_dtype: 'float16' }, 'dtype'],
        [{ torch_dtype: 'float16' }, 'torch_dtype'],
        [{}, 'torch_dtype']
      ] as const) {
        await writeFile(path, JSON.stringify({ ...config, ...given }))
        const base = loadBaseModel(source)
        const out = join(folder, 'out')
        await writeModelFolder(out, base, base.weights, { dtype: 'F32', overwrite: true })
        const written = JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))
        assert.deepEqual(written, { ...config, [key]: 'float32' })
      }
      const { rope_theta, ...bare } = config
      const rope = { rope_type: 'default', rope_theta }
      await writeFile(path, JSON.stringify({ ...bare, rope_parameters: { full_attention: rope } }))
      const nested = loadBaseModel(source)
      const out = join(folder, 'nested')
      await writeModelFolder(out, nested, nested.weights, { dtype: 'F32' })
      assert.deepEqual(JSON.parse(await readFile(join(out, 'config.json'), 'utf8')).rope_parameters, rope)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('keeps the other parts and the names of a larger model', async () => {
    const towers = familyCases().find(({ family }) => family === 'towers')!.cases
    for (const known of towers)
      await withSavedFolder(known, async (folder) => {
        await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(BYTE_LEVEL_TOKENIZER))
        await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(BYTE_LEVEL_CONFIG))
        const base = loadBaseModel(folder)
        const doubled = new Map(
          [...base.weights].map(([name, { shape, data }]) => [name, { shape, data: data.map((x) => 2 * x) }])
        )
        const out = join(folder, 'out')
        await writeModelFolder(out, base, doubled, { dtype: 'F16' })
        const [before, after] = await Promise.all(
          [folder, out].map(async (each) =>
            decodeSafetensors(await readFile(join(each, 'model.safetensors')))
          )
        )
        assert.deepEqual([...after!.tensors.keys()].sort(), [...before!.tensors.keys()].sort())
        for (const [name, { data }] of before!.tensors) {
          const factor = name.startsWith('language_model.') ? 2 : 1
          assert.deepEqual(
            after!.tensors.get(name)!.data,
            data.map((x) => factor * x),
            name
          )
        }
        assert.deepEqual(loadBaseModel(out).config, base.config)
      })
  })

  it('refuses to overwrite its own base, and weights that overflow the dtype', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'loam-model-folder-'))
    try {
      const base = loadBaseModel(MODEL)
      await assert.rejects(
        writeModelFolder(MODEL, base, base.weights, { dtype: 'F32', overwrite: true }),
        /is the folder of the base model/
      )
      const name = 'model.norm.weight'
      const { shape, data } = base.weights.get(name)!
      for (const [value, message] of [
        [7e4, /model\.norm\.weight contains 70000, which is out of the range of float16: .*--dtype bf16/],
        [Number.NaN, /model\.norm\.weight contains NaN/]
      ] as const) {
        const weights = new Map([...base.weights, [name, { shape, data: data.with(0, value) }]])
        await assert.rejects(writeModelFolder(join(folder, 'out'), base, weights, { dtype: 'F16' }), message)
      }
      assert.deepEqual(await readdir(folder), [])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
