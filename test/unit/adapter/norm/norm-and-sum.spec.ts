import assert from 'node:assert/strict'
import fc from 'fast-check'
import { updateNorm } from '../../../../src/adapter/norm/norm.ts'
import type { LoraAdapter, LoraPair } from '../../../../src/adapter/pair/lora-adapter.ts'
import { loraScale } from '../../../../src/adapter/pair/lora-scale.ts'
import { concatenateAdapters } from '../../../../src/adapter/stack/concatenate.ts'
import { modelDigest, sha256Hex, stackDigest } from '../../../../src/formats/digest/tensors-digest.ts'
import { encodeSafetensors } from '../../../../src/formats/safetensors/safetensors.ts'
import { listedDigest } from '../../formats/digest/listed-digest.ts'
import { anyTensors, cut, moduleShapes, oneElementPair, ordinaryFloat, pairOf } from '../arbitraries.ts'

function element({ rank, inFeatures, A, B }: LoraPair, i: number, j: number): number {
  let sum = 0
  for (let k = 0; k < rank; k++) sum += B[i * rank + k]! * A[k * inFeatures + j]!
  return sum
}

describe('the norm of an update', () => {
  it('is the Frobenius norm of s·B·A', () => {
    fc.assert(
      fc.property(
        moduleShapes.chain(([shape]) => pairOf(shape!, ordinaryFloat)),
        fc.boolean(),
        (pair, rsLora) => {
          let [squares, size] = [0, 0]
          for (let i = 0; i < pair.outFeatures; i++)
            for (let j = 0; j < pair.inFeatures; j++) squares += element(pair, i, j) ** 2
          const magnitudes = { ...pair, A: pair.A.map(Math.abs), B: pair.B.map(Math.abs) }
          for (let i = 0; i < pair.outFeatures; i++)
            for (let j = 0; j < pair.inFeatures; j++) size += element(magnitudes, i, j) ** 2
          const scale = loraScale(pair, rsLora)
          // Compared as squares: the Gram form cancels where the product itself does.
          assert(Math.abs((updateNorm(pair, rsLora) / scale) ** 2 - squares) <= 1e-10 * size)
        }
      )
    )
  })

  it('is not finite when the pair is not', () => {
    const pair = oneElementPair(Number.NaN)
    assert(!Number.isFinite(updateNorm(pair)))
  })
})

describe('concatenated stacks', () => {
  it('multiply to the sum of their products', () => {
    fc.assert(
      fc.property(cut, ({ shapes, members }) => {
        const adapters: LoraAdapter[] = members.map(({ adapter }) => ({
          pairs: adapter.pairs.map((pair) => ({ ...pair, alpha: pair.rank }))
        }))
        const joined = concatenateAdapters(adapters)
        for (const { module, inFeatures, outFeatures } of shapes) {
          const parts = adapters.flatMap(({ pairs }) => pairs.filter((pair) => pair.module === module))
          const pair = joined.pairs.find((candidate) => candidate.module === module)
          assert.equal(
            pair?.rank ?? 0,
            parts.reduce((sum, { rank }) => sum + rank, 0)
          )
          if (pair === undefined) continue
          for (let i = 0; i < outFeatures; i++)
            for (let j = 0; j < inFeatures; j++) {
              const expected = parts.reduce((sum, part) => sum + element(part, i, j), 0)
              assert(Math.abs(element(pair, i, j) - expected) <= 1e-10)
            }
        }
      })
    )
  })

  it('need scale 1', () => {
    const pair = {
      module: 'm',
      rank: 1,
      alpha: 2,
      inFeatures: 1,
      outFeatures: 1,
      A: Float32Array.of(1),
      B: Float32Array.of(1)
    }
    assert.throws(() => concatenateAdapters([{ pairs: [pair] }]), /fold the scale/)
  })
})

describe('digests', () => {
  it('cover the canonical file, and a model block by block', () => {
    fc.assert(
      fc.property(anyTensors, (tensors) => {
        assert.equal(stackDigest(tensors), sha256Hex(encodeSafetensors(tensors)))
        const renamed = new Map([...tensors].map(([name, tensor]) => [`${name}.weight`, tensor]))
        const file = encodeSafetensors(renamed)
        assert.equal(modelDigest(tensors), listedDigest(file).toString('hex'))
      })
    )
    assert.equal(
      sha256Hex(new Uint8Array()),
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    )
  })
})
