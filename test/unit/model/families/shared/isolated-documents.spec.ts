import assert from 'node:assert/strict'
import type { TrainingBatch } from '../../../../../src/data/packing/training-batch.ts'
import { restartedPositions } from '../../../../../src/model/families/shared/isolated-documents.ts'
import {
  createTrainStep,
  initialiseLora,
  initialiseModel,
  loraNames,
  type ModelConfig
} from '../../../../../src/model/index.ts'
import { assertClose } from '../../close.ts'
import { TINY_GPT2 } from '../../tiny-gpt2.ts'
import { randomBatch, TINY_CONFIG } from '../../tiny-llama.ts'

const FAMILIES: readonly [string, ModelConfig, string[]][] = [
  ['Llama', TINY_CONFIG, ['q_proj', 'v_proj', 'down_proj']],
  ['Mistral, with a window', { ...TINY_CONFIG, windows: [3, 3] }, ['q_proj', 'v_proj']],
  ['GPT-2, with learned positions', TINY_GPT2, ['c_attn', 'c_fc']]
]

/** Row `row` of a batch, from `start` to `end`, as a batch of one row. */
function part(batch: TrainingBatch, row: number, start: number, end: number): TrainingBatch {
  const cut = <Values extends Int32Array | Float32Array>(values: Values): Values =>
    values.slice(row * batch.sequenceLength + start, row * batch.sequenceLength + end) as Values
  return {
    batchSize: 1,
    sequenceLength: end - start,
    inputIds: cut(batch.inputIds),
    targetIds: cut(batch.targetIds),
    targetWeights: cut(batch.targetWeights)
  }
}

describe('packed documents with isolated attention', () => {
  for (const [name, config, targetModules] of FAMILIES) {
    it(`${name}: give the loss and the gradients of documents in separate rows`, async () => {
      const settings = { kind: 'lora', rank: 2, alpha: 4, targetModules } as const
      const lora = initialiseLora(config, settings, 1).flatMap(
        ({ module, A, B }): [string, Float32Array][] => [
          [loraNames(module).A, A],
          [loraNames(module).B, B.map((_, index) => Math.sin(index))]
        ]
      )
      const weights = [...initialiseModel(config, 2)].map(([name, { data }]): [string, Float32Array] => [
        name,
        data.map((value) => value * 10)
      ])
      const parameters = new Map([...weights, ...lora])
      const batch = randomBatch(config, 2, 12, 3)
      const borders = [
        [0, 5, 12],
        [0, 9, 12]
      ]
      const segments = Float32Array.from({ length: 24 }, (_, index) =>
        index % 12 < borders[Math.floor(index / 12)]![1]! ? 3 : 7
      )
      const packed = await createTrainStep({
        config,
        trainable: settings,
        batchSize: 2,
        sequenceLength: 12,
        isolateDocuments: true
      })
      const { loss, gradients } = await packed.step(parameters, { ...batch, segments })
      const total = batch.targetWeights.reduce((sum, weight) => sum + weight, 0)
      let lossApart = 0
      const apart = new Map([...gradients].map(([name, { length }]) => [name, new Float64Array(length)]))
      for (const [row, [start, middle, end]] of (borders as [number, number, number][]).entries()) {
        for (const [from, to] of [
          [start, middle],
          [middle, end]
        ] as const) {
          const options = { config, trainable: settings, batchSize: 1, sequenceLength: to - from }
          const alone = await createTrainStep(options)
          const result = await alone.step(parameters, part(batch, row, from, to), total)
          lossApart += result.loss
          for (const [name, gradient] of result.gradients)
            for (const [index, value] of gradient.entries()) apart.get(name)![index]! += value
          await alone.dispose()
        }
      }
      assertClose(Float32Array.of(loss), Float64Array.of(lossApart), 1e-5, 'loss')
      for (const [key, gradient] of gradients) assertClose(gradient, apart.get(key)!, 1e-4, key)
      const joined = await packed.step(parameters, batch)
      assert(Math.abs(joined.loss - loss) > 1e-3, 'without segments the documents see each other')
      await packed.dispose()
    })
  }

  it('count positions from their own beginning', () => {
    assert.deepEqual(
      [...restartedPositions(Float32Array.of(1, 1, 2, 2, 2, 3, 3, 3), 4)],
      [0, 1, 0, 1, 0, 0, 1, 2]
    )
  })
})
