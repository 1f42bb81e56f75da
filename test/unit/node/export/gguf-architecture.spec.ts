import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BaseModel, loadBaseModel } from '../../../../src/model/index.ts'
import { ggufFamily } from '../../../../src/node/export/gguf-architecture.ts'
import { ggufModel } from '../../../../src/node/export/gguf-model.ts'
import { familyCases, withSavedFolder } from '../../model/families/family-case.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../../model/tokenizers.ts'

const CASES = new Map(
  familyCases().flatMap(({ cases }) => cases.map((known) => [known.name, known] as const))
)

function withBase<T>(name: string, use: (base: BaseModel) => Promise<T> | T): Promise<T> {
  return withSavedFolder(CASES.get(name)!, async (folder) => {
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(BYTE_LEVEL_TOKENIZER))
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(BYTE_LEVEL_CONFIG))
    return use(loadBaseModel(folder))
  })
}

describe('the GGUF of a model family (checked by llama.cpp in npm run check -- families)', () => {
  it('uses the architecture of llama.cpp, or names what llama.cpp computes differently', async () => {
    const found: Record<string, readonly string[]> = {}
    for (const name of CASES.keys())
      await withBase(name, (base) => {
        if (base.config.family === 'ministral') return
        const { architecture, faults } = ggufFamily(base)
        found[name] = [architecture.name, ...faults]
      })
    assert.deepEqual(found, {
      Gemma: ['gemma'],
      'Gemma 2': ['gemma2'],
      'Gemma 3': [
        'gemma3',
        'the order of its windows',
        'query_pre_attn_scalar',
        'the rotation of its layers with windows',
        'biases'
      ],
      'Granite 3': ['granite'],
      'Granite 4': ['granite'],
      'Granite 4 without positions': ['granite'],
      'LFM2 without biases': ['lfm2'],
      LFM2: ['lfm2', 'biases of its convolutions'],
      'OLMo 2': ['olmo2'],
      'OLMo 3': ['olmo2', 'its windows', 'scaled RoPE', 'biases'],
      'Phi-3': ['phi3', 'its windows'],
      'Phi-4-mini': ['phi3'],
      'Llama with YaRN': ['llama', 'scaled RoPE'],
      'Qwen3 with YaRN and a factor of its own': ['qwen3', 'scaled RoPE'],
      'Llama with dynamic NTK': ['llama', 'scaled RoPE'],
      'Mistral with longrope': ['llama', 'scaled RoPE'],
      SmolLM3: ['smollm3'],
      'SmolLM3 with windows and YaRN': ['smollm3', 'its layers without rotations', 'scaled RoPE', 'biases'],
      'Gemma 3 with images': ['gemma3']
    })
  })

  it('refuses an unsupported family, and a model that llama.cpp computes differently', async () => {
    await withBase('Ministral 3', (base) =>
      assert.rejects(
        ggufModel(base, base.weights, 'x', 'F32'),
        /of the family ministral.*not written as GGUF/
      )
    )
    await withBase('Phi-3', (base) =>
      assert.rejects(ggufModel(base, base.weights, 'x', 'F32'), /does not compute its windows/)
    )
  })

  it('adds 1 to the norms of Gemma, and splits a fused module of Granite 4', async () => {
    await withBase('Gemma', async (base) => {
      const { tensors } = await ggufModel(base, base.weights, 'x', 'F32')
      const own = base.weights.get('model.norm.weight')!.data
      assert.deepEqual(
        tensors.get('output_norm.weight')!.data,
        own.map((element) => element + 1)
      )
    })
    await withBase('Granite 4', async (base) => {
      const { tensors } = await ggufModel(base, base.weights, 'x', 'F32')
      const { shape } = base.weights.get('model.layers.1.shared_mlp.input_linear.weight')!
      for (const name of ['ffn_gate', 'ffn_up'])
        assert.deepEqual(tensors.get(`blk.1.${name}.weight`)!.shape, [shape[0]! / 2, shape[1]])
    })
  })
})
