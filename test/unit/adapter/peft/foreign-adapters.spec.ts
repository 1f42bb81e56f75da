import assert from 'node:assert/strict'
import { readLoraConfig } from '../../../../src/adapter/peft/lora-config.ts'
import { decodePeftFolder, encodePeftFolder } from '../../../../src/adapter/peft/peft-folder.ts'
import { readForeignKey } from '../../../../src/adapter/peft/peft-keys.ts'
import { decodeSafetensors, encodeSafetensors, type TensorMap } from '../../../../src/formats/index.ts'

const MODULES = [
  'model.layers.0.mlp.up_proj',
  'model.layers.0.self_attn.q_proj',
  'model.layers.1.self_attn.q_proj'
]
const pair = (module: string, rank = 2) => ({
  ...{ module, rank, alpha: 3, inFeatures: 2, outFeatures: 2 },
  A: Float32Array.from({ length: 2 * rank }, (_, index) => index + 1),
  B: Float32Array.from({ length: 2 * rank }, (_, index) => 0.5 - index)
})
const ADAPTER = { pairs: MODULES.map((module) => pair(module)) }
const PLAIN = { peft_type: 'LORA', r: 2, lora_alpha: 3, target_modules: ['q_proj', 'up_proj'] }

/** The plain adapter with other keys. */
function weights(rename: (key: string) => string = (key) => key, adapter = ADAPTER): Uint8Array {
  const { tensors } = decodeSafetensors(encodePeftFolder(adapter, 'base').weights)
  return encodeSafetensors(new Map([...tensors].map(([key, tensor]) => [rename(key), tensor])))
}
const withTensor = (key: string): Uint8Array => {
  const { tensors } = decodeSafetensors(weights())
  const more: TensorMap = new Map([...tensors, [key, { shape: [1], data: new Float32Array(1) }]])
  return encodeSafetensors(more)
}

describe('adapters saved by other programs', () => {
  it('are read with any wrapper prefix in their keys', () => {
    for (const rename of [
      (key: string) => key.replace('base_model.model.', ''),
      (key: string) => key.replace('.weight', '.default.weight'),
      (key: string) => key.replace('.weight', '.my-adapter.weight'),
      (key: string) => `module.${key}`,
      (key: string) => `_orig_mod.${key}`,
      (key: string) => key.replace('base_model.model.', 'base_model.model._orig_mod.'),
      (key: string) => key.replace('.self_attn', '._fsdp_wrapped_module.self_attn'),
      (key: string) => `base_model.model.${key}`
    ])
      assert.deepEqual(decodePeftFolder(PLAIN, weights(rename)).adapter, ADAPTER)
    assert.deepEqual(readForeignKey('a.lora_A.x.weight'), { module: 'a', factor: 'A', adapterName: 'x' })
  })

  it('are refused with tensors that are not LoRA factors', () => {
    for (const [key, message] of [
      [
        'base_model.model.lm_head.weight',
        /lm_head\.weight" is a whole module .*modules_to_save.*merge_and_unload/
      ],
      ['base_model.model.model.embed_tokens.weight', /a whole module/],
      ['base_model.model.score.modules_to_save.default.weight', /a whole module/],
      ['base_model.model.model.embed_tokens.lora_embedding_A', /adapts an embedding/],
      ['base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector', /DoRA/],
      ['base_model.model.model.layers.0.mlp.up_proj.lora_B.bias', /lora_bias/],
      ['base_model.model.model.layers.0.mlp.up_proj.bias', /a bias that was trained/],
      ['base_model.model.model.layers.0.mlp.up_proj.spin', /is not a LoRA factor/]
    ] as const)
      assert.throws(() => decodePeftFolder(PLAIN, withTensor(key)), { name: 'AdapterError', message })
    const twice = decodeSafetensors(weights((key) => key.replace('base_model.model.', ''))).tensors
    const both = new Map([...decodeSafetensors(weights()).tensors, ...twice])
    assert.throws(() => decodePeftFolder(PLAIN, encodeSafetensors(both)), /is repeated/)
    const names = weights((key) =>
      key.replace('.weight', key.includes('up_proj') ? '.a.weight' : '.b.weight')
    )
    assert.throws(() => decodePeftFolder(PLAIN, names), /two adapters, a and b/)
  })

  it('are refused if they contain no factors, or values that are not finite', () => {
    assert.throws(() => decodePeftFolder(PLAIN, encodeSafetensors(new Map())), /contains no factors.*ZeRO-3/)
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const [first, ...others] = ADAPTER.pairs
      const spoilt = { pairs: [{ ...first!, B: first!.B.with(1, value) }, ...others] }
      assert.throws(
        () => decodePeftFolder(PLAIN, weights(undefined, spoilt)),
        /mlp\.up_proj contain NaN or infinity/
      )
    }
  })

  it('may give ranks and alphas by regular expression', () => {
    const config = {
      ...PLAIN,
      rank_pattern: { '^model\\.layers\\.0\\..*_proj': 5, '(?P<kind>q)_proj': 7 },
      alpha_pattern: {
        'layers\\.\\d+\\.self_attn\\.q_proj': 11,
        'model.layers.0.mlp.(up|down)_proj': 13,
        nothing: 17
      }
    }
    const { rankOf, alphaOf } = readLoraConfig(config)
    assert.deepEqual(MODULES.map(rankOf), [5, 5, 7])
    assert.deepEqual(MODULES.map(alphaOf), [13, 11, 11])
    assert.deepEqual([rankOf('model.layers.2.mlp.up_proj'), alphaOf('other')], [2, 3])
    assert.deepEqual(
      [readLoraConfig({ peft_type: 'LORA' })].map((absent) => [absent.rankOf('a'), absent.alphaOf('a')]),
      [[8, 8]]
    )
    for (const [pattern, message] of [
      ['(', /not supported/],
      ['(x*)*', /exponential time/],
      ['(?i)Q_PROJ', /sets flags/],
      ['a'.repeat(3000), /more than 2000/]
    ] as const)
      assert.throws(() => readLoraConfig({ ...PLAIN, rank_pattern: { [pattern]: 4 } }), message)
  })

  it('select their modules as PEFT does', () => {
    const cases: [object, boolean[]][] = [
      [{ target_modules: ['q_proj'] }, [false, true, true]],
      [{ target_modules: ['proj'] }, [false, false, false]],
      [{ target_modules: 'all-linear', exclude_modules: ['up_proj'] }, [false, true, true]],
      [{ target_modules: '.*\\.(q|up)_proj', exclude_modules: '.*layers\\.1.*' }, [true, true, false]],
      [{ target_modules: ['q_proj', 'up_proj'], layers_to_transform: 1 }, [false, false, true]],
      [
        { target_modules: ['q_proj'], layers_to_transform: [0], layers_pattern: 'layers' },
        [false, true, false]
      ],
      [
        { target_modules: ['q_proj'], layers_to_transform: [0], layers_pattern: ['h'] },
        [false, false, false]
      ],
      [{ target_modules: undefined }, [true, true, true]],
      // What Unsloth writes.
      [
        {
          target_modules:
            '(?:.*?(?:language|text).*?(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense).*?(?:q_proj|up_proj).*?)|(?:\\bmodel\\.layers\\.[\\d]{1,}\\.(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense)\\.(?:(?:q_proj|up_proj)))'
        },
        [true, true, true]
      ]
    ]
    for (const [changes, expected] of cases)
      assert.deepEqual(MODULES.map(readLoraConfig({ ...PLAIN, ...changes }).targets), expected)
    assert.throws(
      () => decodePeftFolder({ ...PLAIN, target_modules: ['q_proj'] }, weights()),
      /factors of model\.layers\.0\.mlp\.up_proj, which target_modules.*leave out/
    )
  })

  it('are refused by name if they are more than plain LoRA', () => {
    for (const start of [true, false, null, 'gaussian', 'eva', 'orthogonal', 'mica'])
      assert.ok(readLoraConfig({ ...PLAIN, init_lora_weights: start }))
    for (const start of ['pissa', 'pissa_niter_16', 'olora', 'OLoRA', 'corda', 'loftq', 'lora_ga', 'later'])
      assert.throws(() => readLoraConfig({ ...PLAIN, init_lora_weights: start }), {
        message: new RegExp(`init_lora_weights: "${start}".*path_initial_model_for_weight_conversion`)
      })
    for (const changes of [
      { use_dora: true },
      { lora_bias: true },
      { use_qalora: true },
      { use_bdlora: { match_strict: true } },
      { modules_to_save: ['lm_head'] },
      { target_parameters: ['experts.w1'] },
      { trainable_token_indices: [3] },
      { layer_replication: [[0, 2]] },
      { alora_invocation_tokens: [5] },
      { arrow_config: { top_k: 2 } },
      { kasa_config: { beta: 1 } },
      { monteclora_config: { num_samples: 2 } },
      { megatron_config: { a: 1 } },
      { a_key_of_next_year: 4 },
      { task_type: 'SEQ_CLS' },
      { bias: 'lora_only' },
      { peft_type: 'ADALORA' }
    ])
      assert.throws(
        () => readLoraConfig({ ...PLAIN, ...changes }),
        { name: 'AdapterError', message: new RegExp(Object.keys(changes)[0]!) },
        JSON.stringify(changes)
      )
  })

  it('of PEFT 0.21 are read when every key has its default', () => {
    const config = {
      ...PLAIN,
      ...{
        task_type: 'CAUSAL_LM',
        auto_mapping: null,
        peft_version: '0.21.2',
        revision: null,
        inference_mode: true
      },
      ...{
        exclude_modules: null,
        lora_dropout: 0.05,
        fan_in_fan_out: false,
        bias: 'none',
        use_rslora: false
      },
      ...{ modules_to_save: null, init_lora_weights: true, layers_to_transform: null, layers_pattern: null },
      ...{ rank_pattern: {}, alpha_pattern: {}, megatron_config: null, megatron_core: 'megatron.core' },
      ...{ trainable_token_indices: null, loftq_config: {}, eva_config: null, corda_config: null },
      ...{ lora_ga_config: null, use_dora: false, velora_config: null, alora_invocation_tokens: null },
      ...{ use_qalora: false, qalora_group_size: 16, monteclora_config: null, layer_replication: null },
      ...{
        lora_bias: false,
        target_parameters: null,
        use_bdlora: null,
        arrow_config: null,
        kasa_config: null
      },
      ...{ ensure_weight_tying: false }
    }
    assert.deepEqual(decodePeftFolder(config, weights()).adapter, ADAPTER)
  })

  it('set fan_in_fan_out for GPT-2, as PEFT requires', () => {
    const fanInFanOut = (...modules: string[]): unknown =>
      encodePeftFolder({ pairs: modules.map((module) => pair(module)) }, 'base').config.fan_in_fan_out
    assert.equal(fanInFanOut('transformer.h.0.attn.c_attn', 'transformer.h.0.mlp.c_fc'), true)
    assert.equal(fanInFanOut(...MODULES), false)
  })
})
