import { type GraphNode, ONNX_TYPES, type OnnxAttribute, type OnnxEmitter } from '../../graph/index.ts'
import { ATTRIBUTE_TYPES } from './schema.ts'

/** Values that an ONNX model carries: int64 for shapes and axes, the others for a graph's constants. */
type InitializerValues = Float32Array | Int32Array | BigInt64Array

/** The nodes and constants of an ONNX model while it is being written. */
export interface OnnxWriter {
  /** The emitter through which operators write their ONNX form. */
  readonly emitter: OnnxEmitter
  /** The ONNX value of each graph node. */
  readonly names: Map<GraphNode, string>
  readonly nodes: readonly object[]
  readonly initializers: readonly object[]
  /** Name of a constant; equal ones are written once. */
  initializer(values: InitializerValues, shape: readonly number[], dataType: number): string
}

/** Creates an empty writer. */
export function createOnnxWriter(): OnnxWriter {
  const names = new Map<GraphNode, string>()
  const nodes: object[] = []
  const { initializers, initializer } = createInitializers()

  const emit: Emit = (type, inputs, count, attributes, domain) => {
    const output = Array.from({ length: count }, (_, index) => `value_${nodes.length}${'_'.repeat(index)}`)
    const attribute = Object.entries(attributes).map(([name, value]) => encodeAttribute(name, value))
    nodes.push({ name: `${type}_${nodes.length}`, opType: type, input: inputs, output, attribute, domain })
    return output
  }
  const shared = new Map<string, string[]>()

  const emitter: OnnxEmitter = {
    name: (node) => {
      const name = names.get(node)
      if (name === undefined)
        throw new Error(`node ${node.id} (${node.operator.name}) is used before it is computed`)
      return name
    },
    node: (type, inputs, attributes = {}, domain = '') => emit(type, inputs, 1, attributes, domain)[0]!,
    outputs: (type, inputs, count, attributes = {}, domain = '') => {
      const key = JSON.stringify([domain, type, inputs, count, attributes])
      const outputs = shared.get(key) ?? emit(type, inputs, count, attributes, domain)
      shared.set(key, outputs)
      return outputs
    },
    int64: (values, shape = [values.length]) => {
      const integers = BigInt64Array.from(values, (value) => BigInt(value))
      return initializer(integers, shape, ONNX_TYPES.int64)
    },
    float32: (values, shape) => initializer(values, shape, ONNX_TYPES.float32)
  }
  return { emitter, names, nodes, initializers, initializer }
}

type Emit = (
  type: string,
  inputs: readonly string[],
  count: number,
  attributes: Readonly<Record<string, OnnxAttribute>>,
  domain: string
) => string[]

function createInitializers(): Pick<OnnxWriter, 'initializers' | 'initializer'> {
  const initializers: object[] = []
  const known = new Map<string, string>()
  return {
    initializers,
    initializer(values, shape, dataType) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      const key = `${dataType} [${shape}] ${Buffer.from(bytes).toString('base64')}`
      const same = known.get(key)
      if (same) return same
      const name = `constant_${initializers.length}`
      initializers.push({ name, dims: shape, dataType, rawData: bytes })
      known.set(key, name)
      return name
    }
  }
}

function encodeAttribute(name: string, value: OnnxAttribute): object {
  if ('int' in value) return { name, type: ATTRIBUTE_TYPES.int, i: value.int }
  if ('float' in value) return { name, type: ATTRIBUTE_TYPES.float, f: value.float }
  if ('text' in value) return { name, type: ATTRIBUTE_TYPES.text, s: new TextEncoder().encode(value.text) }
  return { name, type: ATTRIBUTE_TYPES.ints, ints: value.ints }
}
