import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeSafetensors } from '../../../../../src/formats/index.ts'
import type { Tensor } from '../../../../../src/formats/tensor.ts'
import {
  applyAdapter,
  checkpointTensors,
  createEvaluator,
  createLoraTrainer,
  createTrainStep,
  expandTargetModules,
  gpt2ConfigJson,
  initialiseLora,
  initialiseModel,
  loadBaseModel,
  loraNames,
  parseModelConfig,
  saveBaseModel
} from '../../../../../src/model/index.ts'
import { assertClose } from '../../close.ts'
import { TINY_GPT2 } from '../../tiny-gpt2.ts'
import { randomBatch } from '../../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../../tokenizers.ts'

const weights = initialiseModel(TINY_GPT2, 5)

describe('GPT-2', () => {
  it('reads the config that it writes, and names an unsupported key', () => {
    const json = gpt2ConfigJson(TINY_GPT2)
    assert.deepEqual(parseModelConfig(json), TINY_GPT2)
    const { n_inner, n_positions, ...bare } = json
    assert.deepEqual(parseModelConfig({ ...bare, n_ctx: 9 }), {
      ...TINY_GPT2,
      intermediateSize: 64,
      maxPositions: 9
    })
    assert.ok(n_inner && n_positions)
    for (const [change, message] of [
      [{ activation_function: 'relu' }, /activation_function: "relu" is not supported \(supported: gelu_new/],
      [{ scale_attn_by_inverse_layer_idx: true }, /scale_attn_by_inverse_layer_idx: true/],
      [{ add_cross_attention: true }, /add_cross_attention/],
      [{ n_head: 3 }, /n_head: 3 .*divisor of n_embd 16/],
      [{ n_embd: undefined }, /config.json, n_embd/]
    ] as const)
      assert.throws(() => parseModelConfig({ ...json, ...change }), {
        name: 'UnsupportedModelError',
        message
      })
  })

  describe('as a folder', () => {
    let folder: string
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'loam-gpt2-'))
      saveBaseModel(folder, {
        config: TINY_GPT2,
        weights,
        tokenizerJson: BYTE_LEVEL_TOKENIZER,
        tokenizerConfigJson: BYTE_LEVEL_CONFIG
      })
    })
    afterEach(() => rmSync(folder, { recursive: true }))
    const write = (tensors: Map<string, Tensor>): void =>
      writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors(tensors))

    it('stores linear weights as [in, out] and reads them as [out, in]', () => {
      const onDisk = checkpointTensors(TINY_GPT2, weights)
      assert.deepEqual(onDisk.get('transformer.h.0.attn.c_attn.weight')!.shape, [16, 48])
      assert.equal(
        onDisk.get('transformer.h.0.attn.c_attn.weight')!.data[1],
        weights.get('transformer.h.0.attn.c_attn.weight')!.data[16]
      )
      assert.deepEqual(new Map([...loadBaseModel(folder).weights].sort()), new Map([...weights].sort()))
    })

    it('is read without the key prefix, and without attention masks', () => {
      const bare = new Map<string, Tensor>(
        [...checkpointTensors(TINY_GPT2, weights)].map(([name, tensor]) => [
          name.replace('transformer.', ''),
          tensor
        ])
      )
      bare.set('h.0.attn.bias', { shape: [1, 1, 2, 2], data: new Float32Array(4) })
      bare.set('h.0.attn.masked_bias', { shape: [], data: new Float32Array(1) })
      write(bare)
      assert.deepEqual(new Map([...loadBaseModel(folder).weights].sort()), new Map([...weights].sort()))
    })

    it('names a mismatched tensor by its name on disk', () => {
      const tensors = checkpointTensors(TINY_GPT2, weights)
      tensors.set('transformer.h.1.mlp.c_fc.weight', weights.get('transformer.h.1.mlp.c_fc.weight')!)
      write(tensors)
      assert.throws(
        () => loadBaseModel(folder),
        /h.1.mlp.c_fc.weight has shape \[24,16\], but config.json specifies \[16,24\]/
      )
    })
  })

  it('is adapted in the same units in training and in the exact merge', async () => {
    const lora = { rank: 3, alpha: 6, targetModules: ['all-linear'] }
    const pairs = initialiseLora(TINY_GPT2, lora, 1)
    assert.deepEqual(
      pairs.map(({ module }) => module),
      expandTargetModules(TINY_GPT2, ['c_attn', 'c_proj', 'c_fc'])
    )
    for (const { B } of pairs) for (const index of B.keys()) B[index] = ((index % 7) - 3) / 5
    const batch = randomBatch(TINY_GPT2, 1, 7, 3)
    batch.targetWeights.fill(1)
    const trainable = { kind: 'lora', ...lora } as const
    const step = await createTrainStep({ config: TINY_GPT2, trainable, batchSize: 1, sequenceLength: 7 })
    const parameters = new Map([...weights].map(([name, { data }]) => [name, data]))
    for (const { module, A, B } of pairs) parameters.set(loraNames(module).A, A).set(loraNames(module).B, B)
    const { loss } = await step.step(parameters, batch)
    await step.dispose()
    const merged = await createTrainStep({
      config: TINY_GPT2,
      trainable: { kind: 'all' },
      batchSize: 1,
      sequenceLength: 7
    })
    const applied = applyAdapter(weights, { pairs })
    const after = await merged.step(new Map([...applied].map(([name, { data }]) => [name, data])), batch)
    const before = await merged.step(new Map([...weights].map(([name, { data }]) => [name, data])), batch)
    await merged.dispose()
    assertClose([after.loss], [loss], 1e-6, 'loss')
    assert.ok(Math.abs(before.loss - loss) > 1e-3)
  })

  it('is trained and evaluated, and refuses a text longer than its positions', async () => {
    const trainer = await createLoraTrainer({
      config: TINY_GPT2,
      rank: 2,
      alpha: 4,
      targetModules: ['c_attn'],
      batchSize: 2,
      sequenceLength: 6
    })
    const batch = randomBatch(TINY_GPT2, 2, 6, 1)
    const { losses, adapter } = await trainer.train({
      weights,
      seed: 1,
      steps: 6,
      nextBatch: () => batch,
      schedule: { kind: 'constant', learningRate: 0.05 }
    })
    await trainer.dispose()
    assert.ok(losses.at(-1)! < losses[0]!)
    const evaluator = await createEvaluator({ config: TINY_GPT2, context: 7 })
    const ids = [...batch.inputIds.subarray(0, 6), batch.targetIds[5]!]
    const plain = await evaluator.score({ weights, ids })
    assert.notEqual((await evaluator.score({ weights, adapter, ids })).nats, plain.nats)
    await evaluator.dispose()
    await assert.rejects(
      createEvaluator({ config: TINY_GPT2, context: 14 }),
      /13 tokens is longer than the model's 12 positions/
    )
  })
})
