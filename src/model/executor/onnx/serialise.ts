import {
  type Graph,
  type GraphNode,
  ONNX_TYPES,
  type OnnxAttribute,
  type OnnxEmitter,
  textAttribute
} from '../../graph/index.ts'
import { lowerSum, productsInSums } from './products-in-sums.ts'
import { ATTRIBUTE_TYPES, modelType } from './schema.ts'

/** ONNX operator set that the lowerings are written for. */
const OPSET_VERSION = 23
/** IR version that goes with that operator set. */
const IR_VERSION = 11

/** A graph as the bytes of an ONNX model. */
export interface OnnxModel {
  readonly bytes: Uint8Array
  /** For each graph output its name inside the ONNX model. */
  readonly outputNames: ReadonlyMap<string, string>
}

/** Writes `graph` as an ONNX model, whose inputs are named by `onnxInputName`. */
export function serialiseOnnx(graph: Graph): OnnxModel {
  const names = new Map<GraphNode, string>()
  const nodes: object[] = []
  const initializers: object[] = []
  const known = new Map<string, string>()

  const initializer = (
    values: Float32Array | Int32Array | BigInt64Array,
    shape: readonly number[],
    dataType: number
  ): string => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    const key = `${dataType} [${shape}] ${Buffer.from(bytes).toString('base64')}`
    const same = known.get(key)
    if (same) return same
    const name = `constant_${initializers.length}`
    initializers.push({ name, dims: shape, dataType, rawData: bytes })
    known.set(key, name)
    return name
  }

  const emit = (
    type: string,
    inputs: readonly string[],
    count: number,
    attributes: Readonly<Record<string, OnnxAttribute>>,
    domain: string
  ): string[] => {
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
      const names = shared.get(key) ?? emit(type, inputs, count, attributes, domain)
      shared.set(key, names)
      return names
    },
    int64: (values, shape = [values.length]) =>
      initializer(
        BigInt64Array.from(values, (value) => BigInt(value)),
        shape,
        ONNX_TYPES.int64
      ),
    float32: (values, shape) => initializer(values, shape, ONNX_TYPES.float32)
  }

  const sums = productsInSums(graph)
  const absorbed = new Set([...sums.values()].map(({ product }) => product))
  for (const node of graph.nodes) {
    if (absorbed.has(node)) continue
    const sum = sums.get(node)
    names.set(node, sum ? lowerSum(sum, emitter) : lower(node, emitter, initializer))
  }

  const outputNames = new Map<string, string>()
  const taken = new Set<string>()
  for (const [name, node] of graph.outputs) {
    // An output has to be computed by a node of its own.
    const computed = emitter.name(node)
    const own = computed.startsWith('value_') && !taken.has(computed)
    const outputName = own ? computed : emitter.node('Identity', [computed])
    taken.add(outputName)
    outputNames.set(name, outputName)
  }

  const model = {
    irVersion: IR_VERSION,
    producerName: 'loam',
    opsetImport: [
      { domain: '', version: OPSET_VERSION },
      { domain: 'com.microsoft', version: 1 }
    ],
    graph: {
      name: 'loam',
      node: nodes,
      initializer: initializers,
      input: [...graph.inputs].map(([name, node]) => valueInfo(onnxInputName(name), node)),
      output: [...graph.outputs].map(([name, node]) => valueInfo(outputNames.get(name)!, node))
    }
  }
  return { bytes: modelType.encode(modelType.create(model)).finish(), outputNames }
}

/** Name of a graph input inside the ONNX model. */
export function onnxInputName(name: string): string {
  return `input:${name}`
}

function lower(
  node: GraphNode,
  emitter: OnnxEmitter,
  initializer: (values: Float32Array | Int32Array, shape: readonly number[], dataType: number) => string
): string {
  if (node.operator.name === 'Input') return onnxInputName(textAttribute(node, 'name'))
  if (node.values) return initializer(node.values, node.shape, ONNX_TYPES[node.dtype])
  return node.operator.onnx(node, emitter)
}

function encodeAttribute(name: string, value: OnnxAttribute): object {
  if ('int' in value) return { name, type: ATTRIBUTE_TYPES.int, i: value.int }
  if ('float' in value) return { name, type: ATTRIBUTE_TYPES.float, f: value.float }
  if ('text' in value) return { name, type: ATTRIBUTE_TYPES.text, s: new TextEncoder().encode(value.text) }
  return { name, type: ATTRIBUTE_TYPES.ints, ints: value.ints }
}

function valueInfo(name: string, node: GraphNode): object {
  const dim = node.shape.map((extent) => ({ dimValue: extent }))
  return { name, type: { tensorType: { elemType: ONNX_TYPES[node.dtype], shape: { dim } } } }
}
