import { flagAttribute, numberAttribute } from '../attributes.ts'
import type { Attributes, GraphNode } from '../graph.ts'
import type { Operator } from '../operator.ts'
import { broadcastShapes } from '../shape.ts'
import { transpose } from './layout.ts'
import { sumTo } from './reduction.ts'

/** How the factors of a product are read, and a number that scales it. */
export interface MatMulOptions {
  /** Read `a` with its last two axes swapped. */
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  /** Factor on the product; 1 if absent. */
  readonly alpha?: number
}

/** A product with this many times more rows than columns is computed transposed. */
const NARROW = 4

export const matrixProductOperators = {
  MatMul: {
    name: 'MatMul',
    infer: ([a, b], attributes) => {
      const [rows, inner] = matrixShape(a!, flagAttribute({ attributes }, 'transposeA'))
      const [innerB, columns] = matrixShape(b!, flagAttribute({ attributes }, 'transposeB'))
      if (inner !== innerB) {
        throw new Error(
          `MatMul: [${a!.shape}] and [${b!.shape}] (${JSON.stringify(attributes)}) do not fit: ${inner} against ${innerB}`
        )
      }
      const batch = broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2))
      return { shape: [...batch, rows, columns], dtype: 'float32' }
    },
    gradient: (node, dy, wanted) => {
      const [a, b] = node.inputs as [GraphNode, GraphNode]
      const [transposeA, transposeB] = [flagAttribute(node, 'transposeA'), flagAttribute(node, 'transposeB')]
      const alpha = numberAttribute(node, 'alpha')
      const da = (): GraphNode =>
        transposeA
          ? matMul(b, dy, { transposeA: transposeB, transposeB: true, alpha })
          : matMul(dy, b, { transposeB: !transposeB, alpha })
      const db = (): GraphNode =>
        transposeB
          ? transposedProduct(a, dy, transposeA, alpha)
          : matMul(a, dy, { transposeA: !transposeA, alpha })
      return [wanted[0] ? sumTo(da(), a.shape) : undefined, wanted[1] ? sumTo(db(), b.shape) : undefined]
    },
    onnx: (node, emitter) => {
      const names = node.inputs.map((input) => emitter.name(input))
      const settings = {
        transA: { int: Number(flagAttribute(node, 'transposeA')) },
        transB: { int: Number(flagAttribute(node, 'transposeB')) },
        alpha: { float: numberAttribute(node, 'alpha') }
      }
      if (node.inputs.every((input) => input.shape.length === 2)) return emitter.node('Gemm', names, settings)
      // onnxruntime's own operator reads transposed factors in place; ONNX's MatMul would need a copy of them.
      return emitter.node('FusedMatMul', names, settings, 'com.microsoft')
    }
  }
} satisfies Record<string, Operator>

/** alpha · a · b over the last two axes; leading axes broadcast. */
export function matMul(a: GraphNode, b: GraphNode, options: MatMulOptions = {}): GraphNode {
  const attributes: Attributes = {
    transposeA: options.transposeA ?? false,
    transposeB: options.transposeB ?? false,
    alpha: options.alpha ?? 1
  }
  return a.builder.apply(matrixProductOperators.MatMul, [a, b], attributes)
}

/** alpha · dyᵀ a, or alpha · dyᵀ aᵀ: the gradient by a factor that is read transposed. */
function transposedProduct(a: GraphNode, dy: GraphNode, transposeA: boolean, alpha: number): GraphNode {
  const axes = dy.shape.length
  const [rows, columns] = [dy.shape.at(-1)!, a.shape.at(transposeA ? -2 : -1)!]
  if (axes !== a.shape.length || columns * NARROW > rows)
    return matMul(dy, a, { transposeA: true, transposeB: transposeA, alpha })
  // A few columns of many rows, as LoRA's B has: kernels are twice as fast with a few rows of many columns.
  const order = [...Array(axes - 2).keys(), axes - 1, axes - 2]
  return transpose(matMul(a, dy, { transposeA: !transposeA, alpha }), order)
}

function matrixShape({ shape }: GraphNode, transposed: boolean): readonly [number, number] {
  const [rows, columns] = shape.slice(-2)
  if (rows === undefined || columns === undefined) throw new Error(`MatMul: [${shape}] is not a matrix`)
  return transposed ? [columns, rows] : [rows, columns]
}
