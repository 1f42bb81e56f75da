import { createTrainStep, type Graph, type GraphNode } from '../../src/model/index.ts'
import type { BenchShape } from './shapes.ts'

/** One kind of matrix product in a step: a [m, k] times b [k, n], on `batch` matrices. */
export interface Product {
  readonly m: number
  readonly k: number
  readonly n: number
  readonly batch: number
  /** Memory layout of each factor. */
  readonly transposeA: boolean
  readonly transposeB: boolean
  /** Number of them in a step. */
  readonly count: number
}

/** LoRA as the benchmark trains it. */
export const BENCH_LORA = { rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] }

/** The matrix products of a training step, forward and backward, taken from the graph that is executed. */
export async function productsOfStep({ config, batchSize, sequenceLength }: BenchShape): Promise<Product[]> {
  let graph: Graph | undefined
  await createTrainStep({
    config,
    trainable: { kind: 'lora', ...BENCH_LORA },
    batchSize,
    sequenceLength,
    executor: {
      name: 'onnxruntime',
      device: 'cpu',
      compile: async (built) => {
        graph = built
        return { run: async () => new Map(), dispose: async () => undefined }
      }
    }
  })
  const found = new Map<string, Product>()
  for (const node of graph!.nodes) {
    if (node.operator.name !== 'MatMul') continue
    const product = productOf(node)
    const key = JSON.stringify(product)
    found.set(key, { ...product, count: (found.get(key)?.count ?? 0) + 1 })
  }
  return [...found.values()].sort((a, b) => flops(b) - flops(a))
}

/** Floating-point operations of all products of that kind. */
export function flops({ m, k, n, batch, count }: Product): number {
  return 2 * m * k * n * batch * count
}

/**
 * Whether a product is one with a frozen weight: not attention's, which come in batches, nor LoRA's, which are thin.
 */
export function isLarge({ m, k, n, batch }: Product): boolean {
  return batch === 1 && Math.min(m, k, n) > BENCH_LORA.rank
}

function productOf({ shape, inputs, attributes }: GraphNode): Omit<Product, 'count'> {
  const [a] = inputs as [GraphNode, GraphNode]
  const [m, n] = shape.slice(-2) as [number, number]
  const transposeA = attributes.transposeA === true
  return {
    m,
    n,
    k: a.shape.at(transposeA ? -2 : -1)!,
    batch: shape.slice(0, -2).reduce((product, extent) => product * extent, 1),
    transposeA,
    transposeB: attributes.transposeB === true
  }
}
