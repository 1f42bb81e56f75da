import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeSafetensors } from '../../../../src/formats/index.ts'
import {
  describeBaseModel,
  initialiseLlama,
  loadBaseModel,
  saveBaseModel
} from '../../../../src/model/index.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

describe('a base model folder', () => {
  let folder: string
  const weights = initialiseLlama(TINY_CONFIG, 1)
  const save = (dtype: 'F32' | 'F16' | 'BF16' = 'F32'): void =>
    saveBaseModel(folder, {
      config: TINY_CONFIG,
      weights,
      tokenizerJson: BYTE_LEVEL_TOKENIZER,
      tokenizerConfigJson: BYTE_LEVEL_CONFIG,
      dtype
    })
  const edit = (file: string, change: (json: Record<string, unknown>) => object): void => {
    const json: Record<string, unknown> = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    writeFileSync(join(folder, file), JSON.stringify(change(json)))
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-model-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('round-trips', () => {
    save()
    const model = loadBaseModel(folder)
    assert.deepEqual(model.config, TINY_CONFIG)
    assert.equal(model.weights.size, weights.size)
    for (const [name, tensor] of weights) assert.deepEqual(model.weights.get(name), tensor)
    assert.equal(model.tokenizer.decode(model.tokenizer.encode('hello')), 'hello')
  })

  it('is refused at once if config.json describes more weights than the files have bytes for', () => {
    const keys = [
      'num_hidden_layers',
      'vocab_size',
      'hidden_size',
      'intermediate_size',
      'num_attention_heads'
    ]
    for (const [key, value] of [
      ...keys.map((name) => [name, 1e9] as const),
      ['num_hidden_layers', 10_000] as const
    ]) {
      save()
      edit('config.json', (json) => ({ ...json, [key]: value }))
      assert.throws(() => describeBaseModel(folder), {
        name: 'UnsupportedModelError',
        message: /config\.json/
      })
    }
    save()
    edit('config.json', (json) => ({
      ...json,
      num_hidden_layers: 1e9,
      model_type: 'mistral',
      sliding_window: 2
    }))
    assert.throws(() => describeBaseModel(folder), /num_hidden_layers: Too big/)
  })

  it('is read back rounded from 16-bit formats', () => {
    for (const [dtype, bits] of [
      ['F16', 11],
      ['BF16', 8]
    ] as const) {
      save(dtype)
      const model = loadBaseModel(folder)
      for (const [name, { data }] of weights) {
        const found = model.weights.get(name)!.data
        for (const [index, value] of data.entries()) {
          assert.ok(
            Math.abs(found[index]! - value) <= Math.abs(value) * 2 ** -bits + 2 ** -25,
            `${dtype} ${name}`
          )
        }
      }
    }
  })

  it('is read from several weight files, and from no file outside the folder', () => {
    save()
    const entries = [...weights]
    const [one, two] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
    writeFileSync(join(folder, one), encodeSafetensors(new Map(entries.slice(0, 5))))
    writeFileSync(join(folder, two), encodeSafetensors(new Map(entries.slice(5))))
    renameSync(join(folder, 'model.safetensors'), join(folder, 'elsewhere'))
    const index = join(folder, 'model.safetensors.index.json')
    const places = entries.map(([name], position) => [name, position < 5 ? one : two])
    writeFileSync(index, JSON.stringify({ weight_map: Object.fromEntries(places) }))
    assert.deepEqual(new Map([...loadBaseModel(folder).weights].sort()), new Map([...weights].sort()))
    writeFileSync(index, JSON.stringify({ weight_map: { a: '../secret.safetensors' } }))
    assert.throws(() => loadBaseModel(folder), /names \.\.\/secret.safetensors/)
  })

  it('is refused with the name of what is invalid', () => {
    save()
    edit('config.json', (json) => ({ ...json, intermediate_size: 25 }))
    assert.throws(
      () => loadBaseModel(folder),
      /gate_proj.weight has shape \[24,16\], but config.json specifies \[25,16\]/
    )
    save()
    edit('config.json', (json) => ({ ...json, tie_word_embeddings: false }))
    assert.throws(
      () => loadBaseModel(folder),
      /lm_head.weight is missing, but config.json specifies \[29,16\]/
    )
    save()
    edit('config.json', (json) => ({ ...json, vocab_size: 3 }))
    assert.throws(() => loadBaseModel(folder), /ids up to 11, but config.json, vocab_size is 3/)
    save()
    edit('tokenizer_config.json', (json) => ({ ...json, bos_token: '<none>' }))
    assert.throws(() => loadBaseModel(folder), /bos_token <none>/)
    writeFileSync(join(folder, 'adapter_config.json'), '{}')
    assert.throws(() => loadBaseModel(folder), /contains a base model and adapter_config\.json.*--adapter/)
    rmSync(join(folder, 'adapter_config.json'))
    writeFileSync(join(folder, 'tokenizer.json'), '{')
    assert.throws(() => loadBaseModel(folder), /tokenizer.json is not JSON/)
    writeFileSync(join(folder, 'config.json'), '[]')
    assert.throws(() => loadBaseModel(folder), /config.json must contain one JSON object/)
  })

  it('is not written with weights of other shapes', () => {
    const cut = new Map(weights)
    cut.delete('model.norm.weight')
    const options = { config: TINY_CONFIG, weights: cut, tokenizerJson: {}, tokenizerConfigJson: {} }
    assert.throws(() => saveBaseModel(folder, options), /model.norm.weight is missing/)
  })
})
