import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadBaseModel } from '../../../../src/model/index.ts'
import { writeModelFolder } from '../../../../src/node/export/model-folder.ts'
import { MODEL } from '../one-member.ts'

describe('a model folder', () => {
  it('in several files with an index is the model of one file, bit for bit', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'loam-model-folder-'))
    try {
      const base = loadBaseModel(MODEL)
      const total = [...base.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
      const fileBytesMax = Math.ceil(total / 3)
      const files = await writeModelFolder(folder, base, base.weights, 'F32', fileBytesMax)
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
})
