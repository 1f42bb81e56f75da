import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readJsonObject } from '../../../../src/formats/hugging-face/read-json.ts'
import { initialiseModel, loadBaseModel, saveBaseModel } from '../../../../src/model/index.ts'
import { completeBaseFolder, tokenizerConfig } from '../../../../src/node/base/base-folder.ts'
import { packageRoot } from '../../../../src/package-root.ts'
import { TINY_CONFIG } from '../../model/tiny-llama.ts'
import { splitWeights } from '../split-weights.ts'

const SHIPPED = join(packageRoot(), 'models', 'loam-base-1m')

describe('the folder of a fetched base model', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-base-folder-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const write = async (parts: number) => {
    const config = { ...TINY_CONFIG, vocabularySize: 2048, bosId: 0, eosId: 0 }
    const weights = initialiseModel(config, 5)
    const tokenizerJson = readJsonObject(join(SHIPPED, 'tokenizer.json'))
    saveBaseModel(folder, { config, weights, tokenizerJson, tokenizerConfigJson: {} })
    if (parts > 1) await splitWeights(folder, parts)
    const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort()
    const files = await Promise.all(names.map((name) => readFile(join(folder, name))))
    for (const name of await readdir(folder))
      if (!['config.json', 'tokenizer.json'].includes(name)) await rm(join(folder, name))
    await writeFile(join(folder, 'weights'), Buffer.concat(files))
    return { weights, files }
  }

  for (const parts of [1, 3])
    it(`has the same ${parts} weight file(s) again, with names and an index of its own`, async () => {
      const { weights, files } = await write(parts)
      await completeBaseFolder(folder)
      const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort()
      assert.equal(names.length, parts)
      const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
      const written = await Promise.all(names.map((name) => readFile(join(folder, name))))
      assert.deepEqual(written.map(digest), files.map(digest))
      const loaded = loadBaseModel(folder)
      for (const [name, { data }] of weights) assert.deepEqual(loaded.weights.get(name)?.data, data, name)
      assert.equal(loaded.tokenizer.eosId, 0)
      assert(!(await readdir(folder)).includes('weights'))
    })

  it('is refused where the stream is no sequence of safetensors files', async () => {
    const { files } = await write(1)
    const path = join(folder, 'weights')
    for (const bytes of [files[0]!.subarray(0, -1), Buffer.concat([files[0]!, Buffer.alloc(20, 255)])]) {
      await writeFile(path, bytes)
      await assert.rejects(completeBaseFolder(folder), /no safetensors files/)
    }
  })

  it('has the first and last token that config.json names, from any kind of vocabulary', () => {
    const named = (json: object) => {
      const { bos_token, eos_token } = tokenizerConfig(json, { bosId: 1, eosId: 2 }) as Record<
        string,
        unknown
      >
      return [bos_token, eos_token]
    }
    assert.deepEqual(named({ model: { vocab: { a: 1, b: 2 } } }), ['a', 'b'])
    assert.deepEqual(
      named({
        model: {
          vocab: [
            ['x', 0],
            ['a', -1],
            ['b', -2]
          ]
        }
      }),
      ['a', 'b']
    )
    assert.deepEqual(named({ added_tokens: [{ id: 2, content: '</s>' }], model: { vocab: { a: 1 } } }), [
      'a',
      '</s>'
    ])
    assert.deepEqual(named({ model: {} }), [undefined, undefined])
  })
})
