import assert from 'node:assert/strict'
import { simulatedConsortium } from '../../../../sim/consortium/simulated-consortium.ts'
import { encodeSafetensors, LISTED_FILE_BYTES_MAX } from '../../../../src/formats/index.ts'
import {
  baseDigest,
  type Charter,
  checkCharter,
  hex,
  isBaseFileName,
  MalformedError,
  modelFileBytes
} from '../../../../src/protocol/index.ts'

const MIB = 1024 * 1024

describe('the base model in a charter', () => {
  const { charter } = simulatedConsortium(4).signed
  const blocks = new Uint8Array(32).fill(7)
  const checked = (files: Charter['base']['files']) =>
    checkCharter({ ...charter, base: { ...charter.base, files } })
  const withFile = (path: string, bytes = 1) =>
    [...charter.base.files.filter((file) => file.path !== path), { path, bytes, blocks }].sort(
      (left, right) => (left.path < right.path ? -1 : 1)
    )

  it('names known files only, and none outside the folder', () => {
    for (const name of ['special_tokens_map.json', 'chat_template.jinja', 'model-00001-of-00002.safetensors'])
      assert(checked(withFile(name)))
    for (const name of [
      '../config.json',
      'folder/model.safetensors',
      'folder\\model.safetensors',
      '/model.safetensors',
      '.safetensors',
      '..safetensors',
      'CONFIG.JSON',
      'config.json.partial',
      'README.md',
      `${'a'.repeat(101)}.safetensors`,
      'a\0.safetensors',
      ''
    ]) {
      assert(!isBaseFileName(name), name)
      assert.throws(() => checked(withFile(name)), MalformedError, name)
    }
  })

  it('names each file once, in order, within the size limit of its kind', () => {
    const { files } = charter.base
    assert.throws(() => checked(files.toReversed()), /sorted by name/)
    assert.throws(() => checked([files[0]!, ...files]), /sorted by name/)
    assert(checked(withFile('config.json', MIB)))
    for (const [path, bytes] of [
      ['config.json', MIB + 1],
      ['config.json', 0],
      ['tokenizer.json', 128 * MIB + 1],
      ['model.safetensors', LISTED_FILE_BYTES_MAX + 1]
    ] as const)
      assert.throws(() => checked(withFile(path, bytes)), MalformedError)
    assert(checked(withFile('model.safetensors', LISTED_FILE_BYTES_MAX)))
    const many = Array.from({ length: 300 }, (_, index) => `model-${1000 + index}.safetensors`)
    const weights = many.map((path) => ({ path, bytes: 1, blocks }))
    assert.throws(() => checked([files[0]!, ...weights, ...files.slice(2)]), /files/)
    assert(checked([files[0]!, ...weights.slice(0, 200), ...files.slice(2)]))
  })

  it('needs every file that a model is loaded from', () => {
    for (const { path } of charter.base.files)
      assert.throws(() => checked(charter.base.files.filter((file) => file.path !== path)), /lack/)
  })

  it('has one digest, which every file changes', () => {
    const digests = [charter.base.files, withFile('config.json', 2), withFile('chat_template.jinja')].map(
      (files) => hex(baseDigest(files))
    )
    assert.equal(new Set(digests).size, digests.length)
  })

  it('has modules whose file has exactly the computed length, and a list that fits into a block', () => {
    const modules = [
      { module: 'model.layers.10.mlp.up_proj', inFeatures: 3, outFeatures: 5 },
      { module: 'model.layers.2.mlp.up_proj', inFeatures: 1, outFeatures: 1 }
    ]
    const file = encodeSafetensors(
      new Map(
        modules.map(({ module, inFeatures, outFeatures }) => [
          `${module}.weight`,
          { shape: [outFeatures, inFeatures], data: new Float32Array(outFeatures * inFeatures) }
        ])
      )
    )
    assert.equal(modelFileBytes(modules), file.length)
    const wide = [{ ...modules[0]!, inFeatures: 2 ** 20, outFeatures: 2 ** 13 }]
    assert.throws(
      () => checkCharter({ ...charter, base: { ...charter.base, modules: wide } }),
      /more than 32 GiB of weights/
    )
  })
})
