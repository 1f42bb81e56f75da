import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { Command } from 'commander'
import { packageRoot } from '../../src/package-root.ts'
import { parseBench, positiveInteger, positiveIntegers } from '../support/options.ts'
import { runJson } from '../support/run-json.ts'
import { findTorch, type Torch } from '../support/torch.ts'
import { compareTraining } from './compare.ts'
import { writeProblem } from './problem.ts'
import { flops, isLarge, type Product, productsOfStep } from './products.ts'
import { type BenchShape, shapeNamed, shapeOption } from './shapes.ts'

const options = parseBench<{ shape: BenchShape; threads: readonly number[]; runs: number }>(
  new Command('npm run bench -- roofline')
    .description(
      'What a LoRA step could take at best: the floating-point operations of its matrix products, the rates at which ' +
        'onnxruntime (MLAS) and PyTorch (OpenBLAS) compute those very shapes here, and both whole steps beside them. Of ' +
        'all times the shortest counts, since other programs on the machine can only add to it.'
    )
    .addOption(shapeOption().default(shapeNamed('110M'), '110M'))
    .option('--threads <list>', 'numbers of threads, with commas', positiveIntegers, [1, 2])
    .option('--runs <n>', 'processes per side', positiveInteger, 3),
  ['npm run bench -- roofline', 'npm run bench -- roofline --shape 15M --threads 1 --json']
)
const { shape } = options
const say = options.json ? console.error : console.log
const torch = await findTorch()
if (!torch) throw new Error('no python3 has torch here (Debian: python3-torch)')

const products = await productsOfStep(shape)
const large = products.filter(isLarge)
const all = products.reduce((sum, product) => sum + flops(product), 0)
const inLarge = large.reduce((sum, product) => sum + flops(product), 0)
say(
  `${shape.name}: ${(all / 1e9).toFixed(1)} GFLOP a step in matrix products, ${(inLarge / 1e9).toFixed(1)} of them with frozen ` +
    `weights (${large.reduce((sum, { count }) => sum + count, 0)} products of ${large.length} kinds)`
)
const rows = []
const folder = mkdtempSync(join(tmpdir(), 'loam-roofline-'))
try {
  writeProblem(folder, shape)
  for (const threads of options.threads) rows.push(await measure(threads, torch))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (options.json) console.log(JSON.stringify({ shape: shape.name, gflop: all / 1e9, rows }))

/** Milliseconds of one product with weights fed, and as constants. */
interface OwnProduct {
  readonly fed: number
  readonly constant: number
}

function productTable(ours: readonly OwnProduct[], theirs: readonly number[]): string {
  const table = new Table({
    head: ['a x b', 'count', 'MLAS', 'MLAS, packed', 'OpenBLAS'],
    style: { head: [], border: [], compact: true }
  })
  const rate = (product: Product, ms: number): string =>
    `${(product.count * ms).toFixed(0)} ms, ${(flops(product) / product.count / ms / 1e6).toFixed(0)} GF/s`
  large.forEach((product, index) => {
    const { m, k, n, transposeB, count } = product
    table.push([
      `${m} x ${k} x ${n}${transposeB ? ' (b transposed)' : ''}`,
      count,
      rate(product, ours[index]!.fed),
      rate(product, ours[index]!.constant),
      rate(product, theirs[index]!)
    ])
  })
  return table.toString()
}

async function measure(threads: number, torch: Torch): Promise<object> {
  const script = fileURLToPath(new URL('products-process.js', import.meta.url))
  const list = JSON.stringify(large)
  const ours = (await runJson(process.execPath, [script, String(threads), list])) as OwnProduct[]
  const file = join(packageRoot(), 'bench', 'train', 'torch_products.py')
  const theirs = (await runJson(
    torch.python,
    [file, String(threads), list],
    torch.environment(threads)
  )) as number[]
  const total = (ms: (index: number) => number): number =>
    large.reduce((sum, { count }, index) => sum + count * ms(index), 0)
  const productsMs = {
    fed: total((index) => ours[index]!.fed),
    packed: total((index) => ours[index]!.constant),
    torch: total((index) => theirs[index]!)
  }
  const step = await compareTraining({
    shape: shape!,
    folder,
    threads,
    runs: options.runs,
    torch,
    onRun: (line) => say(line)
  })
  const [ms, torchMs] = [step.bestMs, step.torchBestMs!]
  const peak = Math.max(
    ...large.flatMap((product, index) =>
      [ours[index]!.fed, ours[index]!.constant, theirs[index]!].map(
        (ms) => flops(product) / product.count / ms / 1e6
      )
    )
  )
  const row = {
    threads,
    ms,
    torchMs,
    ratio: ms / torchMs,
    productsMs,
    peakGflops: peak,
    ratioOfProducts: productsMs.fed / torchMs,
    ratioOfPackedProducts: productsMs.packed / torchMs,
    ratioAtPeak: all / 1e6 / peak / torchMs
  }
  say(`\nthreads: ${threads}\n${productTable(ours, theirs)}`)
  say(
    [
      `whole step          Loam ${ms.toFixed(0)} ms, PyTorch ${torchMs.toFixed(0)} ms: ratio ${row.ratio.toFixed(2)}`,
      `its large products  Loam ${productsMs.fed.toFixed(0)} ms (${(100 * (productsMs.fed / ms)).toFixed(0)} %), packed ${productsMs.packed.toFixed(0)} ms, PyTorch ${productsMs.torch.toFixed(0)} ms`,
      `ratio if Loam did nothing but its large products: ${row.ratioOfProducts.toFixed(2)}, with packed weights ${row.ratioOfPackedProducts.toFixed(2)}`,
      `ratio if all products ran at the best rate that either library reached (${peak.toFixed(0)} GFLOP/s) and nothing else took time: ${row.ratioAtPeak.toFixed(2)}`
    ].join('\n')
  )
  return row
}
