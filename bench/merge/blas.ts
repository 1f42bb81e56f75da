import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from '../../src/package-root.ts'

/** The speed of the machine's BLAS by rank; undefined if there is no Python with numpy. */
export interface BlasSpeed {
  readonly library: string
  /** Best of several. */
  readonly gflops: Readonly<Record<string, number>>
  /** Mean of several, without the first. */
  readonly meanGflops: Readonly<Record<string, number>>
}

/** Runs the same merges through numpy's BLAS in a separate process. */
export function blasSpeed(
  rows: number,
  columns: number,
  modules: number,
  ranks: readonly number[],
  threads: number
): BlasSpeed | undefined {
  const script = join(packageRoot(), 'bench', 'merge', 'blas.py')
  const limits = Object.fromEntries(
    ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'].map((name) => [name, String(threads)])
  )
  const numbers = [rows, columns, modules, ...ranks].map(String)
  for (const python of ['/usr/bin/python3', 'python3']) {
    const run = spawnSync(python, [script, ...numbers], {
      encoding: 'utf8',
      env: { ...process.env, ...limits },
      timeout: 240_000
    })
    if (run.status === 0) return JSON.parse(run.stdout) as BlasSpeed
  }
  return undefined
}
