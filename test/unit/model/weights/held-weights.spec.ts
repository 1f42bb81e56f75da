import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  BASE_FORMATS,
  type BaseFormat,
  createTrainStep,
  heldBytes,
  holdWeights,
  initialiseLora,
  initialiseModel,
  loadHeldWeights,
  loraNames,
  type ModelConfig,
  replaceHeldWeights,
  saveBaseModel
} from '../../../../src/model/index.ts'
import { createQuantiser } from '../../../../src/model/weights/quantise.ts'
import { writeWeightFile } from '../../../../src/model/weights/weight-file.ts'
import { assertClose } from '../close.ts'
import { EXECUTORS_HERE, titleOf } from '../executor/executors.ts'
import { TINY_GPT2 } from '../tiny-gpt2.ts'
import { randomBatch, TINY_CONFIG } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

const lora = { rank: 2, alpha: 4, targetModules: ['all-linear'] }
const configs: readonly (readonly [string, ModelConfig])[] = [
  ['Llama', { ...TINY_CONFIG, tiedHead: false, queryKeyNorm: true }],
  ['GPT-2', TINY_GPT2]
]

/** Weights large enough that their rounding shows. */
function largeWeights(config: ModelConfig): ReturnType<typeof initialiseModel> {
  const weights = initialiseModel(config, 3)
  for (const { shape, data } of weights.values())
    if (shape.length > 1) for (const index of data.keys()) data[index]! *= 15
  return weights
}

async function lossAndGradients(
  config: ModelConfig,
  options: { baseFormat?: BaseFormat; recompute?: boolean; executor?: (typeof EXECUTORS_HERE)[number] },
  weights = largeWeights(config)
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const trainable = { kind: 'lora', ...lora } as const
  const step = await createTrainStep({ config, trainable, batchSize: 2, sequenceLength: 6, ...options })
  const { feeds } = holdWeights(config, weights, options.baseFormat ?? 'f32')
  const parameters = new Map(feeds)
  for (const { module, A, B } of initialiseLora(config, lora, 1)) {
    for (const index of B.keys()) B[index] = ((index % 7) - 3) / 20
    parameters.set(loraNames(module).A, A).set(loraNames(module).B, B)
  }
  const { loss, gradients } = await step.step(parameters, randomBatch(config, 2, 6, 3))
  const copied = new Map([...gradients].map(([name, data]) => [name, data.slice()]))
  await step.dispose()
  return { loss, gradients: copied }
}

/** The weights decoded from their held form. */
function rounded(config: ModelConfig, format: BaseFormat): ReturnType<typeof initialiseModel> {
  const weights = largeWeights(config)
  const { feeds } = holdWeights(config, weights, format)
  for (const [name, { data }] of weights) {
    const held = feeds.get(name)!
    const scales = feeds.get(`${name}.scales`)
    for (const index of data.keys()) {
      if (held instanceof Uint16Array) data[index] = half(held[index]!)
      else if (held instanceof Uint8Array && scales) {
        const bits = (held.length * 8) / data.length
        const block = data.length / scales.length
        const q = bits === 8 ? held[index]! : (held[index >> 1]! >> (index % 2 ? 4 : 0)) & 15
        data[index] = scales[Math.floor(index / block)]! * (q - 2 ** (bits - 1))
      }
    }
  }
  return weights
}

function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

describe('held base weights', () => {
  for (const [name, config] of configs) {
    for (const format of ['f16', 'int8', 'int4'] as const) {
      it(`${name} as ${format}: loss and gradients match the rounded weights`, async () => {
        const expected = await lossAndGradients(config, {}, rounded(config, format))
        const found = await lossAndGradients(config, { baseFormat: format })
        assertClose([found.loss], [expected.loss], 1e-5, 'loss')
        for (const [key, gradient] of expected.gradients)
          assertClose(found.gradients.get(key)!, gradient, 1e-4, key)
      })
    }

    it(`${name}: smaller formats are further from the weights`, async () => {
      const exact = await lossAndGradients(config, {})
      const distances = []
      for (const baseFormat of ['f16', 'int8', 'int4'] as const)
        distances.push(Math.abs((await lossAndGradients(config, { baseFormat })).loss - exact.loss))
      assert.ok(distances[0]! < 1e-2 && distances[1]! < 5e-2, `${distances}`)
      const sizes = BASE_FORMATS.map((format) => heldBytes(holdWeights(config, largeWeights(config), format)))
      assert.deepEqual(
        sizes,
        sizes.toSorted((a, b) => b - a)
      )
    })

    it(`${name}: recomputed layers give the same result`, async () => {
      for (const baseFormat of ['f32', 'int8'] as const) {
        const once = await lossAndGradients(config, { baseFormat })
        const again = await lossAndGradients(config, { baseFormat, recompute: true })
        // Not bit for bit everywhere: onnxruntime fuses the second pass differently from the first.
        assertClose([again.loss], [once.loss], 1e-6, 'loss')
        for (const [key, gradient] of once.gradients)
          assertClose(again.gradients.get(key)!, gradient, 1e-5, key)
      }
    })
  }

  for (const executor of EXECUTORS_HERE) {
    it(`are read and recomputed by ${titleOf(executor)}`, async function () {
      this.timeout(60_000)
      const native = await lossAndGradients(TINY_CONFIG, { baseFormat: 'int4' })
      const found = await lossAndGradients(TINY_CONFIG, { executor, baseFormat: 'int4', recompute: true })
      assertClose([found.loss], [native.loss], 1e-5, 'loss')
      for (const [key, gradient] of native.gradients)
        assertClose(found.gradients.get(key)!, gradient, 1e-3, key)
    })
  }

  it('are streamed from a folder into the same form', () => {
    const folder = mkdtempSync(join(tmpdir(), 'loam-held-'))
    try {
      for (const [, config] of configs) {
        const weights = largeWeights(config)
        saveBaseModel(folder, {
          config,
          weights,
          tokenizerJson: BYTE_LEVEL_TOKENIZER,
          tokenizerConfigJson: BYTE_LEVEL_CONFIG
        })
        for (const format of BASE_FORMATS) {
          const { feeds } = loadHeldWeights(folder, config, format)
          const expected = holdWeights(config, weights, format).feeds
          assert.deepEqual(new Map([...feeds].sort()), new Map([...expected].sort()))
        }
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('are replaced by the modules of another file, in every format; mismatches are named', () => {
    const folder = mkdtempSync(join(tmpdir(), 'loam-replaced-'))
    const file = join(folder, 'merged.safetensors')
    try {
      for (const [, config] of configs) {
        const weights = largeWeights(config)
        const names = [...weights.keys()].filter((name) => /[vo]_proj|c_fc/.test(name) && /weight/.test(name))
        const merged = new Map(
          names.map((name) => {
            const { shape, data } = weights.get(name)!
            return [name, { shape, data: data.map((value) => value * 1.5 - 0.01) }] as const
          })
        )
        writeWeightFile(file, merged, {})
        for (const format of BASE_FORMATS) {
          const before = holdWeights(config, largeWeights(config), format)
          const after = replaceHeldWeights(before, config, file)
          const expected = holdWeights(config, new Map([...weights, ...merged]), format).feeds
          assert.deepEqual(new Map([...after.feeds].sort()), new Map([...expected].sort()))
          // No second copy: float32 stays in its arrays.
          if (format === 'f32')
            for (const [name, data] of before.feeds) assert.equal(after.feeds.get(name), data)
        }
        const [name] = names
        const wrong = { shape: [1, 2], data: new Float32Array(2) }
        const held = holdWeights(config, weights, 'f32')
        writeWeightFile(file, new Map([[name!, wrong]]), {})
        assert.throws(
          () => replaceHeldWeights(held, config, file),
          /has shape \[1,2\], but config.json specifies/
        )
        writeWeightFile(file, new Map([['stranger.weight', wrong]]), {})
        assert.throws(() => replaceHeldWeights(held, config, file), /stranger\.weight/)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('are refused with formats and shapes that cannot be held', async () => {
    const weights = largeWeights(TINY_CONFIG)
    weights.get('model.embed_tokens.weight')!.data[3] = 1e6
    assert.throws(() => holdWeights(TINY_CONFIG, weights, 'f16'), /embed_tokens.weight has elements outside/)
    const step = { config: TINY_CONFIG, trainable: { kind: 'all' }, batchSize: 1, sequenceLength: 2 } as const
    await assert.rejects(
      createTrainStep({ ...step, baseFormat: 'int8' }),
      /weights to train cannot be stored as int8/
    )
  })
})

describe('block-wise quantisation', () => {
  it('has an error of at most half a step of the block', () => {
    const block = 8
    const element = fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 })
    fc.assert(
      fc.property(
        fc.array(element, { minLength: 2 * block, maxLength: 2 * block }),
        fc.constantFrom(4 as const, 8 as const),
        (values, bits) => {
          const data = Float32Array.from(values)
          const { packed, scales, put } = createQuantiser(data.length, bits, block)
          put(data.subarray(0, block), 0)
          put(data.subarray(block), block)
          for (const [index, value] of data.entries()) {
            const q = bits === 8 ? packed[index]! : (packed[index >> 1]! >> (index % 2 ? 4 : 0)) & 15
            const scale = scales[Math.floor(index / block)]!
            const largest = Math.abs(scale) * 2 ** (bits - 1)
            const found = scale * (q - 2 ** (bits - 1))
            // The highest element cannot be represented: the range is one step shorter opposite to the extreme.
            const allowed = Math.abs(scale) * (found * scale > 0 ? 1 : 0.5)
            assert.ok(Math.abs(found - value) <= allowed + 1e-5 * largest + 1e-30, `${value} became ${found}`)
          }
        }
      )
    )
  })
})
