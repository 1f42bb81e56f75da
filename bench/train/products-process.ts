// Times matrix products in onnxruntime, in a process of its own: products-process.js THREADS JSON
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { modelType } from '../../src/model/executor/onnx/schema.ts'
import type { Product } from './products.ts'

const [threads, json] = process.argv.slice(2)
const products: Product[] = JSON.parse(json!)
const FLOAT = 1

const times = []
for (const product of products)
  times.push({ fed: await bestMs(product, false), constant: await bestMs(product, true) })
console.log(JSON.stringify(times))

/** The shortest of several runs, ms: with the right factor fed at every run, or a constant that is packed beforehand. */
async function bestMs({ m, k, n, transposeA, transposeB }: Product, constant: boolean): Promise<number> {
  const left = transposeA ? [k, m] : [m, k]
  const right = transposeB ? [n, k] : [k, n]
  const weight = numbers(k * n)
  const value = (name: string, dims: number[]): object => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } }
  })
  const rawData = new Uint8Array(weight.buffer)
  const attribute = Object.entries({ transA: transposeA, transB: transposeB }).map(([name, flag]) => ({
    name,
    type: 2,
    i: Number(flag)
  }))
  const model = {
    irVersion: 11,
    opsetImport: [{ domain: '', version: 23 }],
    graph: {
      name: 'product',
      node: [{ name: 'product', opType: 'Gemm', input: ['a', 'b'], output: ['y'], attribute }],
      initializer: constant ? [{ name: 'b', dims: right, dataType: FLOAT, rawData }] : [],
      input: [value('a', left), ...(constant ? [] : [value('b', right)])],
      output: [value('y', [m, n])]
    }
  }
  const session = await InferenceSession.create(modelType.encode(modelType.create(model)).finish(), {
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    extra: { session: { intra_op: { allow_spinning: '0' } } }
  })
  const a = new Tensor('float32', numbers(m * k), left)
  const feeds: Record<string, Tensor> = { a, ...(!constant && { b: new Tensor('float32', weight, right) }) }
  const y = new Tensor('float32', new Float32Array(m * n), [m, n])
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < runsOf(2 * m * k * n); run++) {
    const start = performance.now()
    await session.run(feeds, { y })
    best = Math.min(best, performance.now() - start)
  }
  await session.release()
  return best
}

/** More runs of the short ones: a second of work at 100 GFLOP/s at most. */
function runsOf(flop: number): number {
  return Math.max(4, Math.min(24, Math.round(5e10 / flop)))
}

function numbers(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => ((index * 7919) % 1000) / 1000 - 0.5)
}
