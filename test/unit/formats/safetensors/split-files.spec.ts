import assert from 'node:assert/strict'
import fc from 'fast-check'
import { planSafetensorsFiles } from '../../../../src/formats/safetensors/split-files.ts'
import type { Tensor } from '../../../../src/formats/tensor.ts'

const tensor = (length: number): Tensor => ({ shape: [length], data: new Float32Array(length) })

describe('splitting a model’s weights into files', () => {
  it('writes one file without an index if the weights fit', () => {
    const tensors = new Map([
      ['b', tensor(2)],
      ['a', tensor(3)]
    ])
    assert.deepEqual(planSafetensorsFiles(tensors, 'F32', 20), {
      files: [{ file: 'model.safetensors', names: ['a', 'b'] }],
      index: undefined
    })
  })

  it('otherwise uses the file names and the index of Hugging Face', () => {
    const tensors = new Map([
      ['a', tensor(3)],
      ['b', tensor(2)],
      ['c', tensor(1)]
    ])
    assert.deepEqual(planSafetensorsFiles(tensors, 'F16', 6), {
      files: [
        { file: 'model-00001-of-00002.safetensors', names: ['a'] },
        { file: 'model-00002-of-00002.safetensors', names: ['b', 'c'] }
      ],
      index: {
        metadata: { total_size: 12 },
        weight_map: {
          a: 'model-00001-of-00002.safetensors',
          b: 'model-00002-of-00002.safetensors',
          c: 'model-00002-of-00002.safetensors'
        }
      }
    })
  })

  it('writes every tensor once, and exceeds the limit only for a single larger tensor', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 60 }), (all, maxBytes) => {
        const tensors = new Map(all.map((length, index) => [`t${index}`, tensor(length)]))
        const { files } = planSafetensorsFiles(tensors, 'F32', maxBytes)
        assert.deepEqual(files.flatMap(({ names }) => names).sort(), [...tensors.keys()].sort())
        for (const { names } of files) {
          const bytes = names.reduce((sum, name) => sum + 4 * tensors.get(name)!.data.length, 0)
          assert.ok(names.length > 0 && (names.length === 1 || bytes <= maxBytes))
        }
      })
    )
  })
})
