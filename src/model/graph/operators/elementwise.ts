import type { DataType, GraphNode } from '../graph.ts'
import { ONNX_TYPES } from '../onnx-types.ts'
import type { Operator } from '../operator.ts'
import { broadcastShapes } from '../shape.ts'
import { sumTo } from './reduction.ts'

type BinaryRule = (
  a: GraphNode,
  b: GraphNode,
  y: GraphNode,
  dy: GraphNode
) => readonly [() => GraphNode, () => GraphNode]

function binary(name: string, onnxType: string, rule: BinaryRule): Operator {
  return {
    name,
    infer: ([a, b]) => {
      if (a!.dtype !== b!.dtype) throw new Error(`${name}: ${a!.dtype} against ${b!.dtype}`)
      return { shape: broadcastShapes(a!.shape, b!.shape), dtype: a!.dtype }
    },
    gradient: (node, dy, wanted) => {
      const [a, b] = node.inputs as [GraphNode, GraphNode]
      const [da, db] = rule(a, b, node, dy)
      return [wanted[0] ? sumTo(da(), a.shape) : undefined, wanted[1] ? sumTo(db(), b.shape) : undefined]
    },
    onnx: (node, emitter) =>
      emitter.node(
        onnxType,
        node.inputs.map((input) => emitter.name(input))
      )
  }
}

type UnaryRule = (x: GraphNode, y: GraphNode, dy: GraphNode) => GraphNode

function unary(name: string, onnxType: string, rule: UnaryRule): Operator {
  return {
    name,
    infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
    gradient: (node, dy) => [rule(node.inputs[0]!, node, dy)],
    onnx: (node, emitter) => emitter.node(onnxType, [emitter.name(node.inputs[0]!)])
  }
}

export const elementwiseOperators = {
  Add: binary('Add', 'Add', (_a, _b, _y, dy) => [() => dy, () => dy]),
  Sub: binary('Sub', 'Sub', (_a, _b, _y, dy) => [() => dy, () => negate(dy)]),
  Mul: binary('Mul', 'Mul', (a, b, _y, dy) => [() => multiply(dy, b), () => multiply(dy, a)]),
  Div: binary('Div', 'Div', (_a, b, y, dy) => [
    () => divide(dy, b),
    () => negate(divide(multiply(dy, y), b))
  ]),
  Neg: unary('Neg', 'Neg', (_x, _y, dy) => negate(dy)),
  Exp: unary('Exp', 'Exp', (_x, y, dy) => multiply(dy, y)),
  Log: unary('Log', 'Log', (x, _y, dy) => divide(dy, x)),
  Sqrt: unary('Sqrt', 'Sqrt', (x, y, dy) => divide(multiply(dy, x.builder.scalar(0.5)), y)),
  Sigmoid: unary('Sigmoid', 'Sigmoid', (_x, y, dy) => multiply(dy, multiply(y, oneMinus(y)))),
  Tanh: unary('Tanh', 'Tanh', (_x, y, dy) => multiply(dy, oneMinus(multiply(y, y)))),
  // d erf(x) / dx = 2 / √π · exp(−x²)
  Erf: unary('Erf', 'Erf', (x, _y, dy) =>
    multiply(dy, multiply(exponential(negate(multiply(x, x))), x.builder.scalar(2 / Math.sqrt(Math.PI))))
  ),
  Where: {
    name: 'Where',
    infer: ([condition, a, b]) => {
      if (condition!.dtype !== 'bool') throw new Error('Where: the condition must be bool')
      if (a!.dtype !== b!.dtype) throw new Error(`Where: ${a!.dtype} against ${b!.dtype}`)
      return {
        shape: broadcastShapes(condition!.shape, broadcastShapes(a!.shape, b!.shape)),
        dtype: a!.dtype
      }
    },
    gradient: (node, dy, wanted) => {
      const [condition, a, b] = node.inputs as [GraphNode, GraphNode, GraphNode]
      const zero = node.builder.scalar(0)
      return [
        undefined,
        wanted[1] ? sumTo(where(condition, dy, zero), a.shape) : undefined,
        wanted[2] ? sumTo(where(condition, zero, dy), b.shape) : undefined
      ]
    },
    onnx: (node, emitter) =>
      emitter.node(
        'Where',
        node.inputs.map((input) => emitter.name(input))
      )
  },
  Less: {
    name: 'Less',
    infer: ([a, b]) => ({ shape: broadcastShapes(a!.shape, b!.shape), dtype: 'bool' }),
    onnx: (node, emitter) =>
      emitter.node(
        'Less',
        node.inputs.map((input) => emitter.name(input))
      )
  },
  Cast: {
    name: 'Cast',
    infer: ([x], { to }) => {
      if (typeof to !== 'string' || !(to in ONNX_TYPES)) throw new Error(`Cast: unknown type ${to}`)
      return { shape: x!.shape, dtype: to as DataType }
    },
    gradient: (node, dy) => [
      node.inputs[0]!.dtype === 'float32' && node.dtype === 'float32' ? dy : undefined
    ],
    onnx: (node, emitter) =>
      emitter.node('Cast', [emitter.name(node.inputs[0]!)], { to: { int: ONNX_TYPES[node.dtype] } })
  }
} satisfies Record<string, Operator>

/** Whether `node` is a constant of one element equal to `value`. */
function isScalar(node: GraphNode, value: number): boolean {
  return node.shape.length === 0 && node.values?.[0] === value
}

/** a + b, broadcast. */
export function add(a: GraphNode, b: GraphNode): GraphNode {
  return a.builder.apply(elementwiseOperators.Add, [a, b])
}

/** a − b, broadcast. */
export function subtract(a: GraphNode, b: GraphNode): GraphNode {
  return a.builder.apply(elementwiseOperators.Sub, [a, b])
}

/** a · b element by element, broadcast. */
export function multiply(a: GraphNode, b: GraphNode): GraphNode {
  if (isScalar(a, 1)) return b
  if (isScalar(b, 1)) return a
  return a.builder.apply(elementwiseOperators.Mul, [a, b])
}

/** a / b element by element, broadcast. */
export function divide(a: GraphNode, b: GraphNode): GraphNode {
  return a.builder.apply(elementwiseOperators.Div, [a, b])
}

export function negate(x: GraphNode): GraphNode {
  return x.builder.apply(elementwiseOperators.Neg, [x])
}

export function exponential(x: GraphNode): GraphNode {
  return x.builder.apply(elementwiseOperators.Exp, [x])
}

/** Natural logarithm. */
export function logarithm(x: GraphNode): GraphNode {
  return x.builder.apply(elementwiseOperators.Log, [x])
}

export function squareRoot(x: GraphNode): GraphNode {
  return x.builder.apply(elementwiseOperators.Sqrt, [x])
}

export function sigmoid(x: GraphNode): GraphNode {
  return x.builder.apply(elementwiseOperators.Sigmoid, [x])
}

export function tanh(x: GraphNode): GraphNode {
  return x.builder.apply(elementwiseOperators.Tanh, [x])
}

export function erf(x: GraphNode): GraphNode {
  return x.builder.apply(elementwiseOperators.Erf, [x])
}

/** `a` where `condition` holds, else `b`; all three broadcast. */
export function where(condition: GraphNode, a: GraphNode, b: GraphNode): GraphNode {
  return condition.builder.apply(elementwiseOperators.Where, [condition, a, b])
}

/** Whether a < b, element by element. */
export function less(a: GraphNode, b: GraphNode): GraphNode {
  return a.builder.apply(elementwiseOperators.Less, [a, b])
}

/** `x` as another element type; gradients pass only from float32 to float32. */
export function cast(x: GraphNode, to: GraphNode['dtype']): GraphNode {
  return x.dtype === to ? x : x.builder.apply(elementwiseOperators.Cast, [x], { to })
}

function oneMinus(x: GraphNode): GraphNode {
  return subtract(x.builder.scalar(1), x)
}
