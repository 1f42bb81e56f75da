import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeSafetensors, type Tensor } from '../../../../src/formats/index.ts'
import { initialiseModel, modelConfigJson } from '../../../../src/model/families/index.ts'
import type { LlamaConfig } from '../../../../src/model/families/llama/index.ts'
import { readPeftFolder } from '../../../../src/node/export/peft-files.ts'

const CONFIG: LlamaConfig = {
  vocabularySize: 8,
  hiddenSize: 4,
  intermediateSize: 6,
  layers: 2,
  heads: 2,
  keyValueHeads: 1,
  headSize: 2,
  maxPositions: 16,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  attentionBias: false,
  outputBias: false,
  tiedHead: false
}
const TOKENIZER = { version: '1.0', model: { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] } }

describe('an adapter for a base model', () => {
  let work: string
  const folders: Record<'untied' | 'tied', string> = { untied: '', tied: '' }
  let weights: Map<string, Tensor>
  const factors = (module: string, inFeatures: number, outFeatures: number): [string, Tensor][] => [
    [
      `base_model.model.${module}.lora_A.weight`,
      { shape: [1, inFeatures], data: new Float32Array(inFeatures).fill(0.5) }
    ],
    [
      `base_model.model.${module}.lora_B.weight`,
      { shape: [outFeatures, 1], data: new Float32Array(outFeatures).fill(0.5) }
    ]
  ]
  const query = (layer: number) => factors(`model.layers.${layer}.self_attn.q_proj`, 4, 4)
  const value = (layer: number) => factors(`model.layers.${layer}.self_attn.v_proj`, 4, 2)
  const adapter = async (target_modules: unknown, tensors: [string, Tensor][], more: object = {}) => {
    const folder = await mkdtemp(join(work, 'adapter-'))
    const config = { peft_type: 'LORA', r: 1, lora_alpha: 1, target_modules, ...more }
    await writeFile(join(folder, 'adapter_config.json'), JSON.stringify(config))
    await writeFile(join(folder, 'adapter_model.safetensors'), encodeSafetensors(new Map(tensors)))
    return folder
  }
  const copyOfHead = (data: Float32Array): [string, Tensor] => [
    'base_model.model.lm_head.base_layer.weight',
    { shape: [8, 4], data }
  ]

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'loam-fitting-'))
    for (const kind of ['untied', 'tied'] as const) {
      const config = { ...CONFIG, tiedHead: kind === 'tied' }
      const made = initialiseModel(config, 1)
      if (kind === 'untied') weights = made
      folders[kind] = join(work, kind)
      await mkdir(folders[kind])
      await writeFile(join(folders[kind], 'config.json'), JSON.stringify(modelConfigJson(config)))
      await writeFile(join(folders[kind], 'tokenizer.json'), JSON.stringify(TOKENIZER))
      await writeFile(join(folders[kind], 'model.safetensors'), encodeSafetensors(made))
    }
  })
  after(() => rm(work, { recursive: true, force: true }))

  it('is accepted with all factors that it targets, even if it lists modules of other models', async () => {
    const both = [...query(0), ...query(1), ...value(0), ...value(1)]
    for (const targets of [
      ['q_proj', 'v_proj'],
      ['q_proj', 'v_proj', 'query_key_value'],
      '.*\\.(q|v)_proj'
    ]) {
      const { pairs } = await readPeftFolder(await adapter(targets, both), folders.untied)
      assert.equal(pairs.length, 4)
    }
    const first = await adapter(['q_proj'], query(0), { layers_to_transform: [0] })
    assert.equal((await readPeftFolder(first, folders.untied)).pairs.length, 1)
  })

  it('is refused if factors that it targets are missing', async () => {
    await assert.rejects(
      readPeftFolder(await adapter(['q_proj', 'v_proj'], [...query(0), ...query(1)]), folders.untied),
      /has no factors of model\.layers\.0\.self_attn\.v_proj, .*layers\.1.*target_modules/
    )
    await assert.rejects(
      readPeftFolder(await adapter('.*q_proj', query(0)), folders.untied),
      /has no factors of model\.layers\.1\.self_attn\.q_proj, which/
    )
  })

  it('is refused by name if a module is not in the model or has another shape', async () => {
    await assert.rejects(
      readPeftFolder(
        await adapter(['c_attn'], factors('transformer.h.0.attn.c_attn', 4, 12)),
        folders.untied
      ),
      /does not fit the base model: .*c_attn \[12,4\] is not in the model/
    )
    await assert.rejects(
      readPeftFolder(
        await adapter(['q_proj'], factors('model.layers.0.self_attn.q_proj', 4, 8)),
        folders.untied
      ),
      /q_proj \[8,4\] is \[4,4\] in the model/
    )
  })

  it("may adapt the output head, with PEFT's copy of its weight, unless the head is tied to the embedding", async () => {
    const head = factors('lm_head', 4, 8)
    const own = weights.get('lm_head.weight')!.data
    const same = await adapter(['lm_head'], [...head, copyOfHead(own)])
    assert.deepEqual(
      (await readPeftFolder(same, folders.untied)).pairs.map(({ module }) => module),
      ['lm_head']
    )
    const other = await adapter(['lm_head'], [...head, copyOfHead(own.map((element) => element + 1))])
    await assert.rejects(
      readPeftFolder(other, folders.untied),
      /lm_head\.weight that differs .*merge the adapter/
    )
    await assert.rejects(
      readPeftFolder(same),
      /has weights of the base beside the factors \(lm_head\.weight\)/
    )
    await assert.rejects(
      readPeftFolder(same, folders.tied),
      /tie_word_embeddings.*train the adapter without lm_head/
    )
  })
})
