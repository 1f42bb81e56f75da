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
  tanh,
  transpose,
  where
} from '../../../../src/model/graph/index.ts'
import { createSeededRandom } from '../../../../src/model/index.ts'

type Build = (...inputs: GraphNode[]) => GraphNode
type Reference = (...inputs: Float32Array[]) => number[]

/** One use of an operator: shapes of its inputs, and what it should give, computed here in plain loops. */
export interface OperatorCase {
  readonly operator: string
  readonly what?: string
  readonly shapes: readonly (readonly number[])[]
  readonly build: Build
  readonly reference: Reference
  /** Keep the random inputs above this, where the function is only defined or smooth there. */
  readonly above?: number
}

const map =
  (f: (x: number) => number): Reference =>
  (x) =>
    Array.from(x, f)
const range = (n: number): number[] => Array.from({ length: n }, (_, index) => index)
const logistic = (x: number): number => 1 / (1 + Math.exp(-x))

/** erf by its Maclaurin series. */
function errorFunction(x: number): number {
  let sum = 0
  let term = x
  for (let n = 0; n < 40; n++) {
    sum += term / (2 * n + 1)
    term *= -(x * x) / (n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

const EPSILON = 0.1

/** 1 / √(mean(x²) + ε) of every row, as often as the row has elements. */
function inverseRmsRows(x: Float32Array, width: number): number[] {
  return range(x.length).map((index) => {
    const row = x.slice(index - (index % width), index - (index % width) + width)
    return 1 / Math.sqrt(row.reduce((sum, element) => sum + element * element, 0) / width + EPSILON)
  })
}

function softmaxRows(x: Float32Array, width: number): number[] {
  return range(x.length).map((index) => {
    const row = index - (index % width)
    const total = range(width).reduce((sum, k) => sum + Math.exp(x[row + k]!), 0)
    return Math.exp(x[index]!) / total
  })
}

const indices = (builder: GraphNode['builder'], values: number[]): GraphNode =>
  builder.constant(Int32Array.from(values), [values.length])

/** At least one for every operator of the table. */
export const OPERATOR_CASES: OperatorCase[] = [
  {
    operator: 'Add',
    shapes: [[2, 3], [3]],
    build: add,
    reference: (a, b) => range(6).map((i) => a[i]! + b[i % 3]!)
  },
  {
    operator: 'Sub',
    shapes: [
      [2, 1],
      [2, 3]
    ],
    build: subtract,
    reference: (a, b) => range(6).map((i) => a[Math.floor(i / 3)]! - b[i]!)
  },
  {
    operator: 'Mul',
    shapes: [
      [2, 3],
      [2, 1]
    ],
    build: multiply,
    reference: (a, b) => range(6).map((i) => a[i]! * b[Math.floor(i / 3)]!)
  },
  {
    operator: 'Mul',
    what: 'a value by itself',
    shapes: [[4]],
    build: (x) => multiply(x!, x!),
    reference: map((x) => x * x)
  },
  {
    operator: 'Div',
    shapes: [
      [2, 3],
      [1, 3]
    ],
    above: 0.5,
    build: divide,
    reference: (a, b) => range(6).map((i) => a[i]! / b[i % 3]!)
  },
  { operator: 'Neg', shapes: [[4]], build: negate, reference: map((x) => -x) },
  { operator: 'Exp', shapes: [[4]], build: exponential, reference: map(Math.exp) },
  { operator: 'Log', shapes: [[4]], above: 0.5, build: logarithm, reference: map(Math.log) },
  { operator: 'Sqrt', shapes: [[4]], above: 0.5, build: squareRoot, reference: map(Math.sqrt) },
  { operator: 'Sigmoid', shapes: [[4]], build: sigmoid, reference: map(logistic) },
  { operator: 'Tanh', shapes: [[4]], build: tanh, reference: map(Math.tanh) },
  { operator: 'Erf', shapes: [[4]], build: erf, reference: map(errorFunction) },
  {
    operator: 'Where',
    shapes: [[2, 3], [3]],
    build: (a, b) =>
      where(
        less(a!.builder.constant(Float32Array.of(0, 1, 0, 1, 1, 0), [2, 3]), a!.builder.scalar(0.5)),
        a!,
        b!
      ),
    reference: (a, b) => range(6).map((i) => ([1, 0, 1, 0, 0, 1][i] ? a[i]! : b[i % 3]!))
  },
  {
    operator: 'Less',
    shapes: [[4]],
    build: (x) =>
      multiply(
        x!,
        cast(less(x!.builder.constant(Float32Array.of(1, 2, 3, 4), [4]), x!.builder.scalar(2.5)), 'float32')
      ),
    reference: (x) => [x[0]!, x[1]!, 0, 0]
  },
  {
    operator: 'Cast',
    shapes: [[3]],
    build: (x) => multiply(x!, cast(x!.builder.constant(Int32Array.of(2, -1, 3), [3]), 'float32')),
    reference: (x) => [2 * x[0]!, -x[1]!, 3 * x[2]!]
  },
  {
    operator: 'ReduceSum',
    shapes: [[2, 3]],
    build: (x) => reduceSum(x!, [0]),
    reference: (x) => range(3).map((i) => x[i]! + x[i + 3]!)
  },
  {
    operator: 'ReduceSum',
    what: 'two axes',
    shapes: [[2, 3, 2]],
    build: (x) => reduceSum(x!, [0, -1]),
    reference: (x) => range(3).map((i) => x[2 * i]! + x[2 * i + 1]! + x[2 * i + 6]! + x[2 * i + 7]!)
  },
  {
    operator: 'ReduceMean',
    shapes: [[2, 3]],
    build: (x) => reduceMean(x!, [-1]),
    reference: (x) => range(2).map((i) => (x[3 * i]! + x[3 * i + 1]! + x[3 * i + 2]!) / 3)
  },
  { operator: 'Reshape', shapes: [[2, 3]], build: (x) => reshape(x!, [3, 2]), reference: (x) => [...x] },
  {
    operator: 'Transpose',
    shapes: [[2, 3, 2]],
    build: (x) => transpose(x!, [1, 2, 0]),
    reference: (x) => range(12).map((i) => x[(i % 2) * 6 + Math.floor(i / 4) * 2 + (Math.floor(i / 2) % 2)]!)
  },
  {
    operator: 'Slice',
    shapes: [[2, 4]],
    build: (x) => slice(x!, 1, 1, 3),
    reference: (x) => [x[1]!, x[2]!, x[5]!, x[6]!]
  },
  {
    operator: 'Pad',
    shapes: [[2, 2]],
    build: (x) => pad(x!, 1, 1, 2),
    reference: (x) => [0, x[0]!, x[1]!, 0, 0, 0, x[2]!, x[3]!, 0, 0]
  },
  {
    operator: 'Concat',
    shapes: [
      [2, 1],
      [2, 2]
    ],
    build: (a, b) => concat([a!, b!], 1),
    reference: (a, b) => [a[0]!, b[0]!, b[1]!, a[1]!, b[2]!, b[3]!]
  },
  {
    operator: 'Expand',
    shapes: [[2, 1]],
    build: (x) => expand(x!, [3, 2, 2]),
    reference: (x) => range(12).map((i) => x[Math.floor(i / 2) % 2]!)
  },
  {
    operator: 'Gather',
    what: 'a row twice',
    shapes: [[3, 2]],
    build: (x) => gatherRows(x!, indices(x!.builder, [2, 0, 2])),
    reference: (x) => [x[4]!, x[5]!, x[0]!, x[1]!, x[4]!, x[5]!]
  },
  {
    operator: 'ScatterAddRows',
    what: 'two rows on one place',
    shapes: [
      [3, 2],
      [3, 2]
    ],
    build: (base, rows) => scatterAddRows(base!, indices(base!.builder, [1, 2, 1]), rows!),
    reference: (b, r) => [
      b[0]!,
      b[1]!,
      b[2]! + r[0]! + r[4]!,
      b[3]! + r[1]! + r[5]!,
      b[4]! + r[2]!,
      b[5]! + r[3]!
    ]
  },
  {
    operator: 'GatherElements',
    shapes: [[2, 3]],
    build: (x) => gatherElements(x!, indices(x!.builder, [2, 0])),
    reference: (x) => [x[2]!, x[3]!]
  },
  {
    operator: 'OneHot',
    shapes: [[2, 3]],
    build: (x) => multiply(x!, oneHot(indices(x!.builder, [1, 2]), 3)),
    reference: (x) => [0, x[1]!, 0, 0, 0, x[5]!]
  },
  { operator: 'Silu', shapes: [[5]], build: silu, reference: map((x) => x * logistic(x)) },
  {
    operator: 'RmsNorm',
    shapes: [[2, 3], [3]],
    build: (x, w) => rootMeanSquareNorm(x!, w!, EPSILON),
    reference: (x, w) => inverseRmsRows(x, 3).map((inverse, i) => x[i]! * inverse * w[i % 3]!)
  },
  {
    operator: 'InverseRms',
    shapes: [[2, 3]],
    build: (x) => inverseRms(x!, x!.builder.constant(Float32Array.of(1, 2, 3), [3]), EPSILON),
    reference: (x) => [0, 3].map((index) => inverseRmsRows(x, 3)[index]!)
  },
  {
    operator: 'Dequantise',
    what: 'whole bytes',
    shapes: [[2, 8]],
    build: (x) =>
      multiply(
        x!,
        dequantise(
          cast(
            x!.builder.constant(
              Int32Array.from(range(16), (i) => 17 * i),
              [2, 8]
            ),
            'uint8'
          ),
          x!.builder.constant(Float32Array.of(0.5, 1, 2, 3), [2, 2]),
          8
        )
      ),
    reference: (x) => range(16).map((i) => x[i]! * [0.5, 1, 2, 3][Math.floor(i / 4)]! * (17 * i - 128))
  },
  {
    operator: 'Dequantise',
    what: 'half bytes',
    shapes: [[2, 8]],
    build: (x) =>
      multiply(
        x!,
        dequantise(
          cast(
            x!.builder.constant(
              Int32Array.from(range(8), (i) => (15 - i) * 16 + i),
              [2, 4]
            ),
            'uint8'
          ),
          x!.builder.constant(Float32Array.of(0.5, 1, 2, 3), [2, 2]),
          4
        )
      ),
    reference: (x) =>
      range(16).map((i) => {
        const byte = Math.floor(i / 2)
        return x[i]! * [0.5, 1, 2, 3][Math.floor(i / 4)]! * ((i % 2 ? 15 - byte : byte) - 8)
      })
  },
  {
    operator: 'After',
    shapes: [[2, 3], [4]],
    build: (x, y) => multiply(after(x!, [y!, exponential(x!)]), reduceSum(y!, [0])),
    reference: (x, y) => Array.from(x, (value) => value * y.reduce((sum, element) => sum + element, 0))
  },
  { operator: 'Softmax', shapes: [[2, 4]], build: softmax, reference: (x) => softmaxRows(x, 4) },
  {
    operator: 'LogSoftmax',
    shapes: [[2, 4]],
    build: logSoftmax,
    reference: (x) => softmaxRows(x, 4).map(Math.log)
  },
  {
    operator: 'RotaryEmbedding',
    what: 'two heads of four',
    shapes: [[1, 2, 8]],
    build: (x) => {
      const wave = (f: (a: number) => number): GraphNode =>
        x!.builder.constant(Float32Array.from([0.3, -0.4, 1.1, 2], f), [2, 2])
      return rotaryEmbedding(x!, wave(Math.cos), wave(Math.sin), 2)
    },
    reference: (x) =>
      range(16).map((i) => {
        const angle = [0.3, -0.4, 1.1, 2][Math.floor(i / 8) * 2 + (i % 2)]!
        const first = i % 4 < 2
        const [u, v] = first ? [x[i]!, x[i + 2]!] : [x[i - 2]!, x[i]!]
        return first ? u * Math.cos(angle) - v * Math.sin(angle) : v * Math.cos(angle) + u * Math.sin(angle)
      })
  }
]

for (const transposeA of [false, true]) {
  for (const transposeB of [false, true]) {
    for (const batch of [[], [2]]) {
      OPERATOR_CASES.push({
        operator: 'MatMul',
        what: `${batch.length ? 'batched, ' : ''}transposeA ${transposeA}, transposeB ${transposeB}`,
        shapes: [
          [...batch, ...(transposeA ? [3, 2] : [2, 3])],
          [...batch, ...(transposeB ? [4, 3] : [3, 4])]
        ],
        build: (a, b) => matMul(a!, b!, { transposeA, transposeB, alpha: -0.5 }),
        reference: (a, b) =>
          range(8 * (batch[0] ?? 1)).map((index) => {
            const [n, i, j] = [Math.floor(index / 8), Math.floor((index % 8) / 4), index % 4]
            const left = (k: number): number => a[n * 6 + (transposeA ? k * 2 + i : i * 3 + k)]!
            const right = (k: number): number => b[n * 12 + (transposeB ? j * 3 + k : k * 4 + j)]!
            return -0.5 * range(3).reduce((sum, k) => sum + left(k) * right(k), 0)
          })
      })
    }
  }
}
for (const transposeA of [false, true]) {
  OPERATOR_CASES.push({
    operator: 'MatMul',
    what: `many rows from a narrow factor, transposeA ${transposeA}`,
    shapes: [transposeA ? [1, 2] : [2, 1], [5, 1]],
    build: (a, b) => matMul(a!, b!, { transposeA, transposeB: true, alpha: 2 }),
    reference: (a, b) => range(10).map((i) => 2 * a[Math.floor(i / 5)]! * b[i % 5]!)
  })
}
OPERATOR_CASES.push({
  operator: 'MatMul',
  what: 'one matrix for a whole batch',
  shapes: [
    [2, 1, 2],
    [2, 1]
  ],
  build: (a, b) => matMul(a!, b!),
  reference: (a, b) => range(2).map((n) => a[2 * n]! * b[0]! + a[2 * n + 1]! * b[1]!)
})

/** Inputs of a case: random, and above its bound, if any. */
export function inputsOf({ shapes, above }: OperatorCase, seed: number): Float32Array[] {
  const random = createSeededRandom(seed)
  return shapes.map((shape) =>
    Float32Array.from({ length: elementCount(shape) }, () =>
      above === undefined ? random.normal() : above + random.uniform()
    )
  )
}
