import assert from 'node:assert/strict'
import {
  expandTargetModules,
  llamaConfigJson,
  parameterShapes,
  parseLlamaConfig,
  parseModelConfig
} from '../../../../../src/model/index.ts'
import { TINY_CONFIG } from '../../tiny-llama.ts'

const JSON_CONFIG = llamaConfigJson(TINY_CONFIG)
const QWEN2 = { model_type: 'qwen2', attention_bias: undefined, use_sliding_window: true, sliding_window: 8 }
const parse = (changes: object): unknown => parseLlamaConfig({ ...JSON_CONFIG, ...changes })

describe('Llama config', () => {
  it('round-trips, with every kind of bias and head', () => {
    for (const config of [
      TINY_CONFIG,
      { ...TINY_CONFIG, tiedHead: false, bosId: 1, eosId: 2 },
      { ...TINY_CONFIG, attentionBias: true, outputBias: true },
      { ...TINY_CONFIG, attentionBias: true },
      { ...TINY_CONFIG, feedForwardBias: true },
      { ...TINY_CONFIG, queryKeyNorm: true },
      { ...TINY_CONFIG, queryKeyNorm: true, attentionBias: true, outputBias: true },
      { ...TINY_CONFIG, windows: [8, 8] },
      { ...TINY_CONFIG, attentionBias: true, windows: [null, 8] },
      { ...TINY_CONFIG, ropeScaling: { kind: 'linear', factor: 2 } } as const,
      {
        ...TINY_CONFIG,
        ropeScaling: {
          kind: 'llama3',
          factor: 8,
          lowFrequencyFactor: 1,
          highFrequencyFactor: 4,
          originalMaxPositions: 16
        }
      } as const
    ]) {
      assert.deepEqual(parseLlamaConfig(JSON.parse(JSON.stringify(llamaConfigJson(config)))), config)
    }
  })

  it('fills in what Hugging Face leaves out', () => {
    const { head_dim, num_key_value_heads, rope_theta, tie_word_embeddings, ...bare } = JSON_CONFIG
    const config = parseLlamaConfig({ ...bare, eos_token_id: [7, 8] })
    assert.deepEqual(
      [config.headSize, config.keyValueHeads, config.ropeTheta, config.tiedHead, config.eosId],
      [4, 4, 10_000, false, 7]
    )
    assert.ok(head_dim && num_key_value_heads && rope_theta && tie_word_embeddings)
    assert.equal(
      parseLlamaConfig({ ...bare, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } }).ropeTheta,
      5e5
    )
  })

  it('reads the keys of each model type', () => {
    const bare = { ...JSON_CONFIG, attention_bias: undefined }
    const mistral = parseLlamaConfig({ ...bare, model_type: 'mistral', sliding_window: 16 })
    assert.deepEqual(mistral.windows, [16, 16])
    // As wide as the longest text: no window.
    assert.equal(parseLlamaConfig({ ...bare, model_type: 'mistral', sliding_window: 32 }).windows, undefined)
    const qwen2 = { ...bare, model_type: 'qwen2', sliding_window: 16, max_window_layers: 1 }
    assert.equal(parseLlamaConfig({ ...qwen2, use_sliding_window: false }).windows, undefined)
    const sliding = parseLlamaConfig({ ...qwen2, use_sliding_window: true })
    assert.deepEqual(sliding.windows, [null, 16])
    assert.deepEqual([sliding.attentionBias, sliding.outputBias], [true, false])
    const qwen3 = parseLlamaConfig({ ...bare, model_type: 'qwen3', head_dim: undefined })
    assert.deepEqual([qwen3.queryKeyNorm, qwen3.attentionBias, qwen3.headSize], [true, false, 128])
    for (const scaling of [
      { rope_scaling: { type: 'linear', factor: 4 } },
      { rope_scaling: { rope_type: 'linear', factor: 4 } },
      { rope_theta: undefined, rope_parameters: { rope_type: 'linear', factor: 4, rope_theta: 10_000 } }
    ]) {
      const { ropeScaling, ropeTheta } = parseLlamaConfig({ ...bare, ...scaling })
      assert.deepEqual([ropeScaling, ropeTheta], [{ kind: 'linear', factor: 4 }, 10_000])
    }
  })

  it('applies the defaults of transformers, and ignores what transformers ignores', () => {
    const long = { ...JSON_CONFIG, attention_bias: undefined, max_position_embeddings: 8192 }
    const windows = (changes: object): unknown => parseLlamaConfig({ ...long, ...changes }).windows
    const layers = (...sizes: (number | null)[]): (number | null)[] => sizes
    assert.deepEqual(windows({ model_type: 'mistral' }), layers(4096, 4096))
    assert.equal(windows({ model_type: 'mistral', sliding_window: null }), undefined)
    const qwen2 = { model_type: 'qwen2', use_sliding_window: true, num_hidden_layers: 30 }
    assert.deepEqual(windows(qwen2), [...Array.from({ length: 28 }, () => null), 4096, 4096])
    assert.equal(windows({ ...qwen2, sliding_window: null }), undefined)
    const types = { sliding_window: 8, layer_types: ['sliding_attention', 'full_attention'] }
    for (const model_type of ['llama', 'mistral'])
      assert.deepEqual(windows({ model_type, ...types }), model_type === 'llama' ? undefined : layers(8, 8))
    const { rms_norm_eps, max_position_embeddings, ...bare } = JSON_CONFIG
    assert.ok(rms_norm_eps && max_position_embeddings)
    for (const [model_type, positions] of [
      ['llama', 2048],
      ['mistral', 131_072],
      ['qwen2', 32_768],
      ['qwen3', 32_768]
    ] as const) {
      const { maxPositions, normEpsilon } = parseLlamaConfig({ ...bare, model_type, sliding_window: null })
      assert.deepEqual([maxPositions, normEpsilon], [positions, 1e-6])
    }
    const heads = { ...JSON_CONFIG, num_attention_heads: 32, head_dim: 4, num_key_value_heads: undefined }
    assert.equal(
      parseLlamaConfig({ ...heads, model_type: 'mistral', num_key_value_heads: null }).keyValueHeads,
      32
    )
  })

  it('reads rope_parameters that are nested by kind of layer', () => {
    const { rope_theta, ...bare } = JSON_CONFIG
    assert.ok(rope_theta)
    const half = { rope_type: 'default', rope_theta: 700 }
    const nested = (sliding: object): number =>
      parseLlamaConfig({ ...bare, rope_parameters: { full_attention: half, sliding_attention: sliding } })
        .ropeTheta
    assert.equal(nested(half), 700)
    assert.throws(
      () => nested({ ...half, rope_theta: 900 }),
      /rope_parameters: .*the same for all kinds of layers/
    )
    assert.throws(
      () => parseLlamaConfig({ ...bare, rope_parameters: { full_attention: half, factor: 2 } }),
      /rope_parameters.factor: 2/
    )
    assert.throws(
      () => parseLlamaConfig({ ...bare, rope_parameters: { full_attention: null } }),
      /rope_parameters.full_attention: null/
    )
  })

  it('names an unsupported key', () => {
    const refusals: [object, RegExp][] = [
      [{ model_type: 'gpt_neox' }, /model_type: "gpt_neox" is not supported/],
      [{ hidden_act: 'gelu' }, /hidden_act: "gelu" is not supported \(supported: silu\)/],
      [{ rope_scaling: { type: 'su', factor: 8 } }, /rope_scaling.rope_type: "su"/],
      [{ rope_parameters: { rope_type: 'dynamic' } }, /rope_parameters.factor: null/],
      [
        { rope_scaling: { rope_type: 'longrope', short_factor: [1, 2], long_factor: [1] } },
        /rope_scaling.long_factor: \[1\].*a list of 2 numbers/
      ],
      [{ rope_scaling: { rope_type: 'llama3', factor: 8 } }, /rope_scaling.low_freq_factor: null/],
      [{ rope_theta: 500, rope_parameters: { rope_theta: 700 } }, /rope_theta: 500.*700.*rope_parameters/],
      [
        { rope_parameters: { rope_theta: 1e4, twist: 3 } },
        /rope_parameters, twist: 3 is a key that Loam does not know/
      ],
      [
        { rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_theta: 700 } },
        /rope_scaling: .*the same in both/
      ],
      [{ rope_parameters: { partial_rotary_factor: 0.5 } }, /partial_rotary_factor: 0.5/],
      [{ ...QWEN2, layer_types: ['full_attention', 'linear_attention'] }, /layer_types: "linear_attention"/],
      [{ ...QWEN2, layer_types: ['full_attention'] }, /layer_types: .*one for each of num_hidden_layers 2/],
      [
        { ...QWEN2, layer_types: ['full_attention', 'sliding_attention'], use_sliding_window: false },
        /layer_types: "sliding_attention".*use_sliding_window/
      ],
      [{ logits_scaling: 8 }, /logits_scaling: 8/],
      [{ is_causal: false }, /is_causal: false means attention in both directions/],
      [{ new_feature: 'deep' }, /new_feature: "deep" is a key that Loam does not know/],
      [{ architectures: ['LlamaForSequenceClassification'] }, /architectures: .*predicts the next token/],
      [
        { auto_map: { AutoModelForCausalLM: 'mine.Mine' } },
        /auto_map.AutoModelForCausalLM.*trust_remote_code/
      ],
      [
        { quantization: { bits: 4 }, vision_config: { depth: 2 } },
        /quantization: .*; config.json, vision_config/
      ],
      [{ quantization_config: { bits: 4 } }, /quantization_config: {"bits":4} is not supported/],
      [{ num_key_value_heads: 3 }, /num_key_value_heads: 3.*divisor/],
      [{ head_dim: 5 }, /head_dim: 5/],
      [{ hidden_size: 'large' }, /config.json, hidden_size/],
      [{ vocab_size: undefined }, /config.json, vocab_size/]
    ]
    for (const [changes, message] of refusals) {
      assert.throws(() => parse(changes), { name: 'UnsupportedModelError', message })
    }
    assert.throws(() => parseModelConfig({ model_type: 'bert' }), /model_type: "bert".*llama, .*qwen3, gpt2/)
    assert.throws(() => parseLlamaConfig('no'), { name: 'UnsupportedModelError' })
  })
})

describe('Llama parameters', () => {
  it('have the shapes of a Hugging Face checkpoint', () => {
    const shapes = parameterShapes({ ...TINY_CONFIG, tiedHead: false, attentionBias: true })
    assert.deepEqual(shapes.get('model.embed_tokens.weight'), [29, 16])
    assert.deepEqual(shapes.get('model.layers.1.self_attn.k_proj.weight'), [8, 16])
    assert.deepEqual(shapes.get('model.layers.1.self_attn.k_proj.bias'), [8])
    assert.equal(shapes.has('model.layers.1.self_attn.o_proj.bias'), false)
    assert.deepEqual(shapes.get('model.layers.0.mlp.down_proj.weight'), [16, 24])
    assert.deepEqual(shapes.get('lm_head.weight'), [29, 16])
    assert.equal(parameterShapes(TINY_CONFIG).has('lm_head.weight'), false)
  })

  it('are selected for adaptation by full name or suffix, sorted, each once', () => {
    const full = 'model.layers.1.self_attn.q_proj'
    assert.deepEqual(expandTargetModules(TINY_CONFIG, ['q_proj', full, 'mlp.up_proj']), [
      'model.layers.0.mlp.up_proj',
      'model.layers.0.self_attn.q_proj',
      'model.layers.1.mlp.up_proj',
      full
    ])
    assert.throws(
      () => expandTargetModules(TINY_CONFIG, ['c_attn']),
      /called c_attn; there are q_proj, k_proj/
    )
    assert.throws(() => expandTargetModules(TINY_CONFIG, ['_proj']), /called _proj/)
  })
})
