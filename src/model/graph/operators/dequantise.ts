import { numberAttribute } from '../attributes.ts'
import type { GraphNode } from '../graph.ts'
import { ONNX_TYPES } from '../onnx-types.ts'
import type { OnnxEmitter, Operator } from '../operator.ts'
import { cast, multiply, subtract } from './elementwise.ts'
import { concat, reshape } from './layout.ts'

/** Bits of one quantised element. */
export type QuantisedBits = 4 | 8

export const dequantiseOperators = {
  Dequantise: {
    name: 'Dequantise',
    infer: ([packed, scales], attributes) => {
      const bits = numberAttribute({ attributes }, 'bits')
      const [rows, bytes] = packed!.shape as [number, number]
      const columns = (bytes * 8) / bits
      if (packed!.dtype !== 'uint8') throw new Error(`Dequantise: the elements are ${packed!.dtype}`)
      if (scales!.shape[0] !== rows || columns % scales!.shape[1]! !== 0)
        throw new Error(`Dequantise: scales [${scales!.shape}] for elements [${rows},${columns}]`)
      return { shape: [rows, columns], dtype: 'float32' }
    },
    decompose: ([packed, scales], attributes) => {
      const bits = numberAttribute({ attributes }, 'bits')
      const [rows, blocks] = scales!.shape as [number, number]
      const whole = cast(packed!, 'float32')
      const elements = reshape(bits === 8 ? whole : halves(whole), [
        rows,
        blocks,
        columnsOf(packed!, bits) / blocks
      ])
      const centred = subtract(elements, packed!.builder.scalar(2 ** (bits - 1)))
      return reshape(multiply(centred, reshape(scales!, [rows, blocks, 1])), [rows, columnsOf(packed!, bits)])
    },
    onnx: (node, emitter) => {
      const [packed, scales] = node.inputs as [GraphNode, GraphNode]
      const bits = numberAttribute(node, 'bits')
      const elements = bits === 8 ? emitter.name(packed) : unpack(node, packed, emitter)
      const zero = emitter.node('Expand', [
        uint8(emitter, [2 ** (bits - 1)], [1, 1]),
        emitter.int64(scales.shape)
      ])
      return emitter.node('DequantizeLinear', [elements, emitter.name(scales), zero], {
        axis: { int: 1 },
        block_size: { int: node.shape[1]! / scales.shape[1]! }
      })
    }
  }
} satisfies Record<string, Operator>

/**
 * Block-quantised values in float32: scale · (element − 2^(bits−1)), a scale for each block of a row. No gradient flows.
 *
 * @param packed uint8 [rows, columns · bits / 8]; of two 4-bit elements in a byte, the low half comes first
 * @param scales [rows, columns / block]
 */
export function dequantise(packed: GraphNode, scales: GraphNode, bits: QuantisedBits): GraphNode {
  return packed.builder.apply(dequantiseOperators.Dequantise, [packed, scales], { bits })
}

function columnsOf(packed: GraphNode, bits: number): number {
  return (packed.shape[1]! * 8) / bits
}

/** Low and high halves of bytes, next to each other: [rows, bytes] to [rows, bytes, 2]. */
function halves(bytes: GraphNode): GraphNode {
  const { builder, shape } = bytes
  const high = cast(cast(multiply(bytes, builder.scalar(1 / 16)), 'int32'), 'float32')
  const low = subtract(bytes, multiply(high, builder.scalar(16)))
  return concat([reshape(low, [...shape, 1]), reshape(high, [...shape, 1])], 2)
}

function unpack(node: GraphNode, packed: GraphNode, emitter: OnnxEmitter): string {
  const bytes = emitter.node('Reshape', [emitter.name(packed), emitter.int64([...packed.shape, 1])])
  const low = emitter.node('BitwiseAnd', [bytes, uint8(emitter, [15])])
  const high = emitter.node('BitShift', [bytes, uint8(emitter, [4])], { direction: { text: 'RIGHT' } })
  const both = emitter.node('Concat', [low, high], { axis: { int: 2 } })
  return emitter.node('Reshape', [both, emitter.int64(node.shape)])
}

function uint8(emitter: OnnxEmitter, values: readonly number[], shape?: readonly number[]): string {
  return emitter.node('Cast', [emitter.int64(values, shape)], { to: { int: ONNX_TYPES.uint8 } })
}
