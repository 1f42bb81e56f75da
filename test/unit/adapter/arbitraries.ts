import fc from 'fast-check'
import type { LoraAdapter, LoraPair } from '../../../src/adapter/pair/lora-adapter.ts'
import type { StackMember } from '../../../src/adapter/stack/stack.ts'
import type { Tensor } from '../../../src/formats/tensor.ts'

/** Finite float32 of ordinary size, so that sums neither overflow nor vanish. */
export const ordinaryFloat = fc.float({ min: -8, max: 8, noNaN: true })

/** Every finite float32 bit pattern class: −0, subnormals, the smallest and largest numbers. */
export const finiteFloat = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 2 ** -149, -(2 ** -149), 2 ** -126, 1.1754942106924411e-38, 3.4028234663852886e38)
)

/** A float32 array of exactly `length` elements. */
export function float32Array(length: number, element: fc.Arbitrary<number>): fc.Arbitrary<Float32Array> {
  return fc
    .array(element, { minLength: length, maxLength: length })
    .map((values) => Float32Array.from(values))
}

/** Extent of the weight [out, in] that an adapter belongs to. */
export interface ModuleShape {
  readonly module: string
  readonly inFeatures: number
  readonly outFeatures: number
}

/** A pair for a module, of any rank from 1 to 6. */
export function pairOf(shape: ModuleShape, element: fc.Arbitrary<number>): fc.Arbitrary<LoraPair> {
  return fc
    .record({ rank: fc.integer({ min: 1, max: 6 }), alpha: fc.integer({ min: 1, max: 32 }) })
    .chain((annotation) =>
      fc
        .record({
          A: float32Array(annotation.rank * shape.inFeatures, element),
          B: float32Array(annotation.rank * shape.outFeatures, element)
        })
        .map((factors) => ({ ...shape, ...annotation, ...factors }))
    )
}

/** One to three modules with their shapes. */
export const moduleShapes: fc.Arbitrary<ModuleShape[]> = fc.uniqueArray(
  fc.record({
    module: fc.constantFrom(
      'model.layers.0.self_attn.q_proj',
      'model.layers.0.self_attn.v_proj',
      'model.layers.10.mlp.up_proj'
    ),
    inFeatures: fc.integer({ min: 1, max: 7 }),
    outFeatures: fc.integer({ min: 1, max: 7 })
  }),
  { minLength: 1, maxLength: 3, selector: ({ module }) => module }
)

/** An adapter on some of the modules (all of them where `complete`), sorted by module. */
export function adapterOn(
  shapes: readonly ModuleShape[],
  element: fc.Arbitrary<number>
): fc.Arbitrary<LoraAdapter> {
  return fc
    .subarray([...shapes], { minLength: 1 })
    .chain((some) => fc.tuple(...some.map((shape) => pairOf(shape, element))))
    .map((pairs) => ({ pairs: [...pairs].sort((a, b) => (a.module < b.module ? -1 : 1)) }))
}

/** An adapter on its own modules. */
export const anyAdapter = moduleShapes.chain((shapes) => adapterOn(shapes, finiteFloat))

/** A cut of one to five members on common modules, which some of them lack. */
export const cut: fc.Arbitrary<{ shapes: ModuleShape[]; members: StackMember[] }> = moduleShapes.chain(
  (shapes) =>
    fc
      .uniqueArray(
        fc.record({
          author: fc.uint8Array({ minLength: 1, maxLength: 4 }),
          samples: fc.integer({ min: 1, max: 5000 }),
          adapter: adapterOn(shapes, ordinaryFloat)
        }),
        { minLength: 1, maxLength: 5, selector: ({ author }) => author.join() }
      )
      .map((members) => ({ shapes, members }))
)

/** Tensors with any names, ranks and values. */
export const anyTensors: fc.Arbitrary<Map<string, Tensor>> = fc
  .uniqueArray(
    fc.tuple(
      fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc.constantFrom('__proto__', '7', '10', 'a.weight')
      ),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 })
    ),
    { maxLength: 5, selector: ([name]) => name }
  )
  .chain((named) =>
    fc.tuple(
      ...named.map(([name, shape]) =>
        float32Array(
          shape.reduce((product, extent) => product * extent, 1),
          finiteFloat
        ).map((data): [string, Tensor] => [name, { shape, data }])
      )
    )
  )
  .map((entries) => new Map(entries))

/** The bits of float32 values, so that −0 and 0 differ. */
export function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength))
}

/** The smallest pair: A [1, 1] with the given element, B [1, 1] with 1. */
export function oneElementPair(element: number): LoraPair {
  return {
    module: 'm',
    rank: 1,
    alpha: 1,
    inFeatures: 1,
    outFeatures: 1,
    A: Float32Array.of(element),
    B: Float32Array.of(1)
  }
}
