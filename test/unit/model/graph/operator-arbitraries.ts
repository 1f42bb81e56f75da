import fc from 'fast-check'
import {
  add,
  after,
  cast,
  concat,
  dequantise,
  divide,
  elementCount,
  erf,
  expand,
  exponential,
  type GraphNode,
  gatherElements,
  gatherRows,
  inverseRms,
  less,
  logarithm,
  logSoftmax,
  matMul,
  multiply,
  negate,
  oneHot,
  pad,
  reduceMean,
  reduceSum,
  reshape,
  rootMeanSquareNorm,
  rotaryEmbedding,
  scatterAddRows,
  sigmoid,
  silu,
  slice,
  softmax,
  squareRoot,
  subtract,
  sumAll,
  tanh,
  transpose,
  where
} from '../../../../src/model/graph/index.ts'
import { createSeededRandom } from '../../../../src/model/index.ts'

/** A use of an operator, with some shape. */
export interface OperatorUse {
  readonly shapes: readonly (readonly number[])[]
  readonly build: (...inputs: GraphNode[]) => GraphNode
  /** Keep the random inputs above this, where the function is only defined or smooth there. */
  readonly above?: number
}

const extent = fc.integer({ min: 1, max: 4 })
const shape = (minLength = 1, maxLength = 4) => fc.array(extent, { minLength, maxLength })
const seed = fc.nat(1_000)

/** Two shapes that broadcast with each other. */
const broadcasting = fc
  .array(fc.tuple(extent, fc.constantFrom('both', 'left', 'right')), { minLength: 1, maxLength: 4 })
  .chain((axes) => fc.tuple(fc.constant(axes), fc.nat(axes.length - 1), fc.boolean()))
  .map(([axes, dropped, swap]) => {
    const left = axes.map(([n, repeated]) => (repeated === 'left' ? 1 : n))
    const right = axes.map(([n, repeated]) => (repeated === 'right' ? 1 : n)).slice(dropped)
    return swap ? ([right, left] as const) : ([left, right] as const)
  })

const unary = (build: (x: GraphNode) => GraphNode, above?: number): fc.Arbitrary<OperatorUse> =>
  shape().map((x) => ({ shapes: [x], build: (node) => build(node!), ...(above !== undefined && { above }) }))

const binary = (
  build: (a: GraphNode, b: GraphNode) => GraphNode,
  above?: number
): fc.Arbitrary<OperatorUse> =>
  broadcasting.map((shapes) => ({
    shapes,
    build: (a, b) => build(a!, b!),
    ...(above !== undefined && { above })
  }))

/** A shape and one of its axes. */
const shapeAndAxis = shape().chain((x) => fc.tuple(fc.constant(x), fc.nat(x.length - 1)))
const shapeAndAxes = shape().chain((x) =>
  fc.tuple(fc.constant(x), fc.subarray([...x.keys()], { minLength: 1 }))
)

function indices(near: GraphNode, extents: readonly number[], below: number, from: number): GraphNode {
  const random = createSeededRandom(from)
  const values = Int32Array.from({ length: elementCount(extents) }, () => random.nextUint32() % below)
  return near.builder.constant(values, extents)
}

function numbers(near: GraphNode, extents: readonly number[], from: number): GraphNode {
  const random = createSeededRandom(from)
  return near.builder.constant(
    Float32Array.from({ length: elementCount(extents) }, () => random.normal()),
    extents
  )
}

const matrices = fc
  .record({
    batch: broadcasting.chain((pair) => fc.constantFrom(pair, [[], []] as const, [pair[0], []] as const)),
    rows: extent,
    inner: extent,
    columns: extent,
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    alpha: fc.constantFrom(1, -0.5)
  })
  .map(
    ({ batch, rows, inner, columns, transposeA, transposeB, alpha }): OperatorUse => ({
      shapes: [
        [...batch[0].slice(-2), ...(transposeA ? [inner, rows] : [rows, inner])],
        [...batch[1].slice(-2), ...(transposeB ? [columns, inner] : [inner, columns])]
      ],
      build: (a, b) => matMul(a!, b!, { transposeA, transposeB, alpha })
    })
  )

/** Uses of every operator of the table, by name. */
export const OPERATOR_USES: Readonly<Record<string, fc.Arbitrary<OperatorUse>>> = {
  Add: binary(add),
  Sub: binary(subtract),
  Mul: binary(multiply),
  Div: binary(divide, 0.5),
  Neg: unary(negate),
  Exp: unary(exponential),
  Log: unary(logarithm, 0.5),
  Sqrt: unary(squareRoot, 0.5),
  Sigmoid: unary(sigmoid),
  Tanh: unary(tanh),
  Erf: unary(erf),
  Where: fc.tuple(broadcasting, seed).map(([shapes, from]) => ({
    shapes,
    build: (a, b) => where(less(numbers(a!, shapes[0], from), a!.builder.scalar(0)), a!, b!)
  })),
  Less: fc.tuple(shape(), seed).map(([x, from]) => ({
    shapes: [x],
    build: (node) =>
      multiply(node!, cast(less(numbers(node!, x, from), numbers(node!, x.slice(-1), from + 1)), 'float32'))
  })),
  Cast: fc.tuple(shape(), seed).map(([x, from]) => ({
    shapes: [x],
    build: (node) => multiply(node!, cast(cast(indices(node!, x, 5, from), 'bool'), 'float32'))
  })),
  ReduceSum: shapeAndAxes.map(([x, axes]) => ({ shapes: [x], build: (node) => reduceSum(node!, axes) })),
  ReduceMean: shapeAndAxes.map(([x, axes]) => ({ shapes: [x], build: (node) => reduceMean(node!, axes) })),
  Reshape: shape().map((x) => ({
    shapes: [x],
    build: (node) => reshape(node!, [x.at(-1)!, elementCount(x.slice(0, -1)), 1])
  })),
  Transpose: shape(2)
    .chain((x) => fc.tuple(fc.constant(x), fc.shuffledSubarray([...x.keys()], { minLength: x.length })))
    .map(([x, permutation]) => ({
      shapes: [x],
      // The sum keeps an identity permutation from being optimised away.
      build: (node) => add(transpose(node!, permutation), transpose(node!, permutation))
    })),
  Slice: shapeAndAxis
    .chain(([x, axis]) => fc.tuple(fc.constant(x), fc.constant(axis), fc.nat(x[axis]! - 1)))
    .chain(([x, axis, start]) =>
      fc.tuple(
        fc.constant(x),
        fc.constant(axis),
        fc.constant(start),
        fc.integer({ min: start + 1, max: x[axis]! })
      )
    )
    .map(([x, axis, start, end]) => ({ shapes: [x], build: (node) => slice(node!, axis, start, end) })),
  Pad: fc.tuple(shapeAndAxis, fc.nat(2), fc.nat(2)).map(([[x, axis], before, after]) => ({
    shapes: [x],
    build: (node) => pad(node!, axis, before, after)
  })),
  Concat: fc.tuple(shapeAndAxis, extent).map(([[x, axis], other]) => ({
    shapes: [x, x.with(axis, other), x],
    build: (a, b, c) => concat([a!, b!, c!], axis)
  })),
  Expand: fc.tuple(shape(), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })).map(([x, repeated]) => ({
    shapes: [x.map((n, axis) => (repeated[axis] ? 1 : n))],
    build: (node) => expand(node!, [2, ...x].slice(-4 - Number(repeated[0])))
  })),
  Gather: fc.tuple(shape(1, 3), shape(1, 2), seed).map(([x, where, from]) => ({
    shapes: [x],
    build: (node) => gatherRows(node!, indices(node!, where, x[0]!, from))
  })),
  ScatterAddRows: fc.tuple(shape(1, 3), shape(1, 2), seed).map(([x, where, from]) => ({
    shapes: [x, [...where, ...x.slice(1)]],
    build: (base, rows) => scatterAddRows(base!, indices(base!, where, x[0]!, from), rows!)
  })),
  GatherElements: fc.tuple(shape(2), seed).map(([x, from]) => ({
    shapes: [x],
    build: (node) => gatherElements(node!, indices(node!, x.slice(0, -1), x.at(-1)!, from))
  })),
  Dequantise: fc
    .tuple(extent, extent, fc.constantFrom(2, 4, 8), fc.constantFrom(4 as const, 8 as const), seed)
    .map(([rows, blocks, block, bits, from]) => ({
      shapes: [[rows, blocks * block]],
      build: (node) => {
        const packed = indices(node!, [rows, (blocks * block * bits) / 8], 256, from)
        return multiply(node!, dequantise(cast(packed, 'uint8'), numbers(node!, [rows, blocks], from), bits))
      }
    })),
  After: fc.tuple(shape(), shape()).map(([x, y]) => ({
    shapes: [x, y],
    build: (a, b) => multiply(after(a!, [b!]), sumAll(b!))
  })),
  OneHot: fc.tuple(shape(2, 3), seed).map(([x, from]) => ({
    shapes: [x],
    build: (node) => multiply(node!, oneHot(indices(node!, x.slice(0, -1), x.at(-1)!, from), x.at(-1)!))
  })),
  MatMul: matrices,
  Silu: unary(silu),
  RmsNorm: shape().map((x) => ({
    shapes: [x, x.slice(-1)],
    build: (node, weight) => rootMeanSquareNorm(node!, weight!, 0.1)
  })),
  InverseRms: shape().map((x) => ({
    shapes: [x],
    build: (node) =>
      inverseRms(node!, node!.builder.constant(new Float32Array(x.at(-1)!).fill(2), x.slice(-1)), 0.1)
  })),
  Softmax: unary(softmax),
  LogSoftmax: unary(logSoftmax),
  RotaryEmbedding: fc
    .tuple(extent, extent, extent, extent, seed)
    .map(([batch, length, heads, half, from]) => ({
      shapes: [[batch, length, heads * half * 2]],
      build: (node) => {
        const angles = createSeededRandom(from)
        const drawn = Float32Array.from({ length: length * half }, () => angles.normal())
        const table = (of: (angle: number) => number) => node!.builder.constant(drawn.map(of), [length, half])
        return rotaryEmbedding(node!, table(Math.cos), table(Math.sin), heads)
      }
    }))
}

/** Random inputs of a use, above its bound, if any. */
export function inputsFor({ shapes, above }: OperatorUse, from: number): Float32Array[] {
  const random = createSeededRandom(from)
  return shapes.map((extents) =>
    Float32Array.from({ length: elementCount(extents) }, () =>
      above === undefined ? random.normal() : above + random.uniform()
    )
  )
}
