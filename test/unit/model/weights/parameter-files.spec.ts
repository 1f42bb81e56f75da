import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeSafetensors, type Tensor, type TensorMap } from '../../../../src/formats/index.ts'
import {
  checkpointTensors,
  describeBaseModel,
  initialiseModel,
  loadBaseModel,
  loadHeldWeights,
  type ModelConfig,
  openBaseWeights,
  saveBaseModel
} from '../../../../src/model/index.ts'
import { TINY_GPT2 } from '../tiny-gpt2.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

const EMBEDDING = 'model.embed_tokens.weight'

describe('the tensors of a model folder', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-tensors-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const path = (file: string): string => join(folder, file)
  /** A folder whose weight file holds what `change` makes of the checkpoint's tensors. */
  function save(
    config: ModelConfig,
    change: (tensors: Map<string, Tensor>) => TensorMap
  ): Map<string, Tensor> {
    const weights = initialiseModel(config, 3)
    const files = { tokenizerJson: BYTE_LEVEL_TOKENIZER, tokenizerConfigJson: BYTE_LEVEL_CONFIG }
    saveBaseModel(folder, { config, weights, ...files })
    writeFileSync(path('model.safetensors'), encodeSafetensors(change(checkpointTensors(config, weights))))
    return weights
  }
  const renamed = (rename: (name: string) => string) => (tensors: TensorMap) =>
    new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]))
  const sorted = (weights: TensorMap): TensorMap => new Map([...weights].sort(([a], [b]) => (a < b ? -1 : 1)))
  const read = (): TensorMap => sorted(loadBaseModel(folder).weights)
  const zeros = (...shape: number[]): Tensor => ({
    shape,
    data: new Float32Array(shape.reduce((product, extent) => product * extent, 1))
  })

  it('are recognised by name however the model was wrapped', () => {
    const untied = { ...TINY_CONFIG, tiedHead: false }
    const forms: [ModelConfig, (name: string) => string][] = [
      [untied, (name) => name.replace(/^model\./, '')],
      [untied, (name) => `module.${name}`],
      [untied, (name) => `_orig_mod.${name}`],
      [untied, (name) => `base_model.model.${name}`],
      [untied, (name) => `language_model.${name}`],
      [untied, (name) => name.replace('.self_attn.', '._orig_mod.self_attn.')],
      [
        untied,
        (name) => name.replace('layers.1.', 'layers.1._fsdp_wrapped_module._checkpoint_wrapped_module.')
      ],
      [TINY_GPT2, (name) => name.replace(/^transformer\./, '')],
      [TINY_GPT2, (name) => `module.${name}`]
    ]
    for (const [config, rename] of forms) {
      const weights = save(config, renamed(rename))
      assert.deepEqual(read(), sorted(weights), rename(EMBEDDING))
    }
  })

  it('of a tied model may contain only the head, or a copy of it', () => {
    const weights = save(
      TINY_CONFIG,
      renamed((name) => (name === EMBEDDING ? 'lm_head.weight' : name))
    )
    assert.deepEqual(read(), sorted(weights))
    save(TINY_CONFIG, (tensors) => tensors.set('lm_head.weight', tensors.get(EMBEDDING)!))
    assert.deepEqual(read(), sorted(weights))
    save(TINY_CONFIG, (tensors) => {
      const data = tensors.get(EMBEDDING)!.data.slice()
      data[data.length - 1]! += 1
      return tensors.set('lm_head.weight', { shape: tensors.get(EMBEDDING)!.shape, data })
    })
    assert.throws(
      read,
      /tie_word_embeddings.*lm_head\.weight.*differs from.*set tie_word_embeddings to false/
    )
  })

  it('are ignored if they are known to change nothing', () => {
    const idle = save(TINY_CONFIG, (tensors) =>
      tensors
        .set('model.layers.0.self_attn.rotary_emb.inv_freq', zeros(2))
        .set('model.rotary_emb.inv_freq', zeros(2))
        .set('v_head.summary.weight', zeros(1, 16))
    )
    assert.deepEqual(read(), sorted(idle))
    const masks = save(TINY_GPT2, (tensors) =>
      tensors
        .set('transformer.h.0.attn.bias', zeros(1, 1, 32, 32))
        .set('transformer.h.1.attn.masked_bias', zeros())
    )
    assert.deepEqual(read(), sorted(masks))
  })

  it('are refused by name if they would be dropped', () => {
    const refused: [ModelConfig, string, number[], RegExp][] = [
      [TINY_CONFIG, 'model.layers.0.self_attn.q_proj.bias', [16], /q_proj\.bias; .*attention_bias is true/],
      [TINY_CONFIG, 'model.layers.1.mlp.up_proj.bias', [24], /up_proj\.bias; .*mlp_bias is true/],
      [TINY_CONFIG, 'model.layers.1.self_attn.q_norm.weight', [4], /q_norm\.weight; .*qwen3/],
      [
        TINY_CONFIG,
        'model.layers.0.pre_feedforward_layernorm.weight',
        [16],
        /pre_feedforward_layernorm\.weight/
      ],
      [TINY_CONFIG, 'model.layers.2.input_layernorm.weight', [16], /layers\.2\..*num_hidden_layers/],
      [TINY_CONFIG, 'lm_head.bias', [29], /lm_head\.bias; config\.json belongs to another model/],
      [TINY_CONFIG, 'score.weight', [2, 16], /score\.weight; .*head of the model/],
      [TINY_CONFIG, 'model.layers.0.mlp.up_proj.lora_A.default.weight', [2, 16], /merge_and_unload/],
      [TINY_GPT2, 'transformer.h.0.attn.bias', [16], /attn\.bias/]
    ]
    for (const [config, name, shape, message] of refused) {
      save(config, (tensors) => tensors.set(name, zeros(...shape)))
      for (const use of [read, () => loadHeldWeights(folder, config, 'f32'), () => openBaseWeights(folder)])
        assert.throws(use, { name: 'UnsupportedModelError', message })
    }
    save(TINY_CONFIG, (tensors) => tensors.set('layers.0.input_layernorm.weight', zeros(16)))
    assert.throws(read, /layers\.0\.input_layernorm\.weight/)
  })

  it('are refused by name if they contain non-finite values', () => {
    for (const [config, name] of [
      [TINY_CONFIG, 'model.layers.1.mlp.down_proj.weight'],
      [TINY_CONFIG, 'model.norm.weight'],
      [TINY_GPT2, 'transformer.h.1.mlp.c_fc.weight']
    ] as const) {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        save(config, (tensors) => {
          const { shape, data } = tensors.get(name)!
          return tensors.set(name, { shape, data: data.with(5, value) })
        })
        const message = new RegExp(`model\\.safetensors: ${name} contains ${value} at element 5`)
        assert.throws(read, message)
        for (const format of ['f32', 'f16', 'int8'] as const)
          assert.throws(() => loadHeldWeights(folder, config, format), message)
      }
    }
  })

  it('are in files that exist, are complete and have the expected format', () => {
    const faults: [() => void, RegExp][] = [
      [
        () => truncateSync(path('model.safetensors'), 9000),
        /model\.safetensors: .*truncated at 9000 bytes: download it again/
      ],
      [
        () => truncateSync(path('model.safetensors'), 100),
        /model\.safetensors: the header of \d+ bytes is truncated/
      ],
      [() => writeFileSync(path('model.safetensors'), ''), /model\.safetensors: 0 bytes are too few/],
      [
        () =>
          writeFileSync(
            path('model.safetensors'),
            'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'
          ),
        /model\.safetensors is a Git LFS pointer/
      ],
      [() => writeFileSync(path('model.safetensors'), '<html>Not found'), /model\.safetensors is a web page/],
      [
        () => {
          rmSync(path('model.safetensors'))
          writeFileSync(
            path('model.safetensors.index.json'),
            '{"weight_map":{"a":"model-00001-of-00002.safetensors"}}'
          )
        },
        /model-00001-of-00002\.safetensors is missing: download it/
      ]
    ]
    for (const [spoil, message] of faults) {
      save(TINY_CONFIG, (tensors) => tensors)
      spoil()
      for (const use of [read, () => describeBaseModel(folder)]) assert.throws(use, message)
    }
  })

  it('in unsupported formats are refused with the way to convert them', () => {
    for (const [file, message] of [
      ['pytorch_model.bin', /but pytorch_model\.bin, which is not supported: .*save_pretrained/],
      ['model-q4.gguf', /but model-q4\.gguf/],
      ['consolidated.safetensors', /but consolidated\.safetensors, .*download model\.safetensors/],
      ['notes.txt', /download the weights too/]
    ] as const) {
      save(TINY_CONFIG, (tensors) => tensors)
      rmSync(path('model.safetensors'))
      writeFileSync(path(file), '')
      assert.throws(read, message)
      rmSync(path(file))
    }
    assert.ok(readFileSync(path('config.json'), 'utf8'))
  })
})
