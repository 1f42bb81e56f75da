import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  linearModules,
  loadBaseModel,
  openBaseWeights,
  parameterShapes,
  saveBaseModel
} from '../../../../src/model/index.ts'
import { TINY_GPT2 } from '../tiny-gpt2.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

describe('linear weights that are read by rows', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-linear-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  for (const config of [TINY_CONFIG, { ...TINY_GPT2, vocabularySize: 300 }])
    for (const dtype of ['F32', 'BF16'] as const)
      it(`match the loaded model: ${config.family}, ${dtype}`, () => {
        const weights = new Map(
          [...parameterShapes(config)].map(([name, shape], n) => {
            const length = shape.reduce((product, extent) => product * extent, 1)
            return [name, { shape, data: Float32Array.from({ length }, (_, i) => (n + 1) / (i + 1)) }]
          })
        )
        const tokenizer = { tokenizerJson: BYTE_LEVEL_TOKENIZER, tokenizerConfigJson: BYTE_LEVEL_CONFIG }
        saveBaseModel(folder, { config, weights, dtype, ...tokenizer })
        const loaded = loadBaseModel(folder).weights
        const opened = openBaseWeights(folder)
        for (const module of linearModules(config).keys()) {
          const { shape, data } = loaded.get(`${module}.weight`)!
          const [rows, columns] = opened.shapeOf(module)
          assert.deepEqual([rows, columns], shape)
          const middle = Math.floor(rows / 2)
          for (const [from, to] of [
            [middle, rows],
            [0, middle]
          ] as const) {
            const target = new Float32Array((to - from) * columns)
            opened.readRows(module, from, target)
            assert.deepEqual(target, data.slice(from * columns, to * columns))
          }
        }
        assert.throws(() => opened.readRows('lm_head', 2 ** 30, new Float32Array(1)), /no weight|ends before/)
        assert.throws(() => opened.shapeOf('model.norm'), /no weight of model.norm/)
        opened.close()
      })
})
