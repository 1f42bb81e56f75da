import { type Graph, type GraphNode, ONNX_TYPES, textAttribute } from '../../graph/index.ts'
import { createOnnxWriter, type OnnxWriter } from './onnx-writer.ts'
import { lowerSum, productsInSums } from './products-in-sums.ts'
import { modelType } from './schema.ts'

/** ONNX operator set that the lowerings are written for. */
const OPSET_VERSION = 23
/** IR version that belongs to that operator set. */
const IR_VERSION = 11

/** A graph as the bytes of an ONNX model. */
export interface OnnxModel {
  readonly bytes: Uint8Array
  /** Name of each graph output inside the ONNX model. */
  readonly outputNames: ReadonlyMap<string, string>
}

/** Writes `graph` as an ONNX model, whose inputs are named by `onnxInputName`. */
export function serialiseOnnx(graph: Graph): OnnxModel {
  const writer = createOnnxWriter()
  lowerNodes(graph, writer)
  const outputNames = nameOutputs(graph, writer)
  const model = {
    irVersion: IR_VERSION,
    producerName: 'loam',
    opsetImport: [
      { domain: '', version: OPSET_VERSION },
      { domain: 'com.microsoft', version: 1 }
    ],
    graph: {
      name: 'loam',
      node: writer.nodes,
      initializer: writer.initializers,
      input: [...graph.inputs].map(([name, node]) => valueInfo(onnxInputName(name), node)),
      output: [...graph.outputs].map(([name, node]) => valueInfo(outputNames.get(name)!, node))
    }
  }
  return { bytes: modelType.encode(modelType.create(model)).finish(), outputNames }
}

/** Lowers every node, inputs before their users. */
function lowerNodes(graph: Graph, writer: OnnxWriter): void {
  const sums = productsInSums(graph)
  const absorbed = new Set([...sums.values()].map(({ product }) => product))
  for (const node of graph.nodes) {
    if (absorbed.has(node)) continue
    const sum = sums.get(node)
    writer.names.set(node, sum ? lowerSum(sum, writer.emitter) : lower(node, writer))
  }
}

function lower(node: GraphNode, { emitter, initializer }: OnnxWriter): string {
  if (node.operator.name === 'Input') return onnxInputName(textAttribute(node, 'name'))
  if (node.values) return initializer(node.values, node.shape, ONNX_TYPES[node.dtype])
  return node.operator.onnx(node, emitter)
}

/** Gives every graph output a name: that of a value computed by a separate node. */
function nameOutputs(graph: Graph, { emitter }: OnnxWriter): Map<string, string> {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  for (const [name, node] of graph.outputs) {
    const computed = emitter.name(node)
    const own = computed.startsWith('value_') && !taken.has(computed)
    const outputName = own ? computed : emitter.node('Identity', [computed])
    taken.add(outputName)
    names.set(name, outputName)
  }
  return names
}

/** Name of a graph input inside the ONNX model. */
export function onnxInputName(name: string): string {
  return `input:${name}`
}

function valueInfo(name: string, node: GraphNode): object {
  const dim = node.shape.map((extent) => ({ dimValue: extent }))
  return { name, type: { tensorType: { elemType: ONNX_TYPES[node.dtype], shape: { dim } } } }
}
