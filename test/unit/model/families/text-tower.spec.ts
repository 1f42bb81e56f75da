import assert from 'node:assert/strict'
import { modelConfigJson, openParameters, parseModelConfig } from '../../../../src/model/index.ts'
import { familyCases, withSavedFolder } from './family-case.ts'

const known = familyCases().find(({ family }) => family === 'towers')!.cases[0]!

describe('the text model inside a multimodal one', () => {
  it('is read with the defaults of transformers, as authors leave out most sizes', () => {
    const config = parseModelConfig({
      architectures: ['Gemma3ForConditionalGeneration'],
      boi_token_index: 255999,
      eos_token_id: [1, 106],
      image_token_index: 262144,
      model_type: 'gemma3',
      text_config: {
        hidden_size: 2560,
        intermediate_size: 10240,
        model_type: 'gemma3_text',
        num_hidden_layers: 34,
        rope_scaling: { factor: 8.0, rope_type: 'linear' },
        sliding_window: 1024
      },
      vision_config: { hidden_size: 1152, model_type: 'siglip_vision_model' }
    })
    const { vocabularySize, heads, keyValueHeads, headSize, maxPositions, tiedHead, eosId } = config
    assert.deepEqual(
      [vocabularySize, heads, keyValueHeads, headSize, maxPositions, tiedHead, eosId],
      [262_208, 8, 4, 256, 131_072, true, 1]
    )
    assert.ok('windows' in config && 'localRope' in config)
    assert.deepEqual(config.windows?.slice(3, 8), [1024, 1024, null, 1024, 1024])
    assert.deepEqual([config.ropeScaling, config.localRope?.theta], [{ kind: 'linear', factor: 8 }, 10_000])
    assert.deepEqual(parseModelConfig(modelConfigJson(config)), config)
  })

  it('is refused, by name, with an unsupported key or class', () => {
    const { config } = known
    for (const [changes, message] of [
      [{ new_part: 3 }, /new_part: 3 is a key that Loam does not know/],
      [{ quantization_config: { bits: 4 } }, /quantization_config/],
      [
        { architectures: ['Gemma3ForSequenceClassification'] },
        /architectures: .* is not Gemma3ForConditional/
      ],
      [{ text_config: { ...(config.text_config as object), clip_qkv: 3 } }, /clip_qkv: 3/],
      [
        { text_config: { ...(config.text_config as object), use_bidirectional_attention: true } },
        /bidirectional/
      ]
    ] as const)
      assert.throws(() => parseModelConfig({ ...config, ...changes }), message)
  })

  it('is refused if a tensor belongs neither to it nor to another known part', async () => {
    const bytes = Buffer.from(known.safetensors, 'base64')
    const renamed = Buffer.from(
      bytes
        .toString('latin1')
        .replace('vision_tower.post_layernorm.bias', 'steering_gear.post_layernorm.bia'),
      'latin1'
    )
    await withSavedFolder({ ...known, safetensors: renamed.toString('base64') }, (folder) => {
      assert.throws(
        () => openParameters(folder, parseModelConfig(known.config)),
        /steering_gear.post_layernorm.bia/
      )
    })
  })
})
