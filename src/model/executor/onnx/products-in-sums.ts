import {
  flagAttribute,
  type Graph,
  type GraphNode,
  numberAttribute,
  type OnnxEmitter,
  sameShape
} from '../../graph/index.ts'

/** A sum with a matrix product as one side that nothing else reads. */
export interface ProductInSum {
  /** MatMul of two matrices. */
  readonly product: GraphNode
  readonly addend: GraphNode
}

/**
 * The sums of a graph that ONNX's Gemm computes together with the product inside them, which spares a pass over memory:
 * residual connections, biases, LoRA's update, gradients that flow together.
 */
export function productsInSums(graph: Graph): Map<GraphNode, ProductInSum> {
  const uses = new Map<GraphNode, number>()
  const use = (node: GraphNode): unknown => uses.set(node, (uses.get(node) ?? 0) + 1)
  for (const node of graph.nodes) node.inputs.forEach(use)
  for (const node of graph.outputs.values()) use(node)

  const found = new Map<GraphNode, ProductInSum>()
  for (const node of graph.nodes) {
    if (node.operator.name !== 'Add' || node.dtype !== 'float32') continue
    const [left, right] = node.inputs as [GraphNode, GraphNode]
    // If both sides are products, the later one waits for the other.
    const sides = left.id < right.id ? [right, left] : [left, right]
    const product = sides.find((side) => isMatrixProduct(side) && uses.get(side) === 1)
    if (product && sameShape(product.shape, node.shape))
      found.set(node, { product, addend: product === left ? right : left })
  }
  return found
}

/** Emits alpha · A · B + addend and returns its name. */
export function lowerSum({ product, addend }: ProductInSum, emitter: OnnxEmitter): string {
  return emitter.node(
    'Gemm',
    [...product.inputs, addend].map((input) => emitter.name(input)),
    {
      transA: { int: Number(flagAttribute(product, 'transposeA')) },
      transB: { int: Number(flagAttribute(product, 'transposeB')) },
      alpha: { float: numberAttribute(product, 'alpha') }
    }
  )
}

function isMatrixProduct({ operator, inputs }: GraphNode): boolean {
  return operator.name === 'MatMul' && inputs.every(({ shape }) => shape.length === 2)
}
