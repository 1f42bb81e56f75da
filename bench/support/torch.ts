import { existsSync } from 'node:fs'
import { runJson } from './run-json.ts'

/** Debian's OpenBLAS on OpenMP; its default build uses threads of its own, which fight with PyTorch's. */
const OPENMP_BLAS = '/usr/lib/x86_64-linux-gnu/openblas-openmp'

const PROBE = `
import json, torch
blas = sorted({"/" + line.split("/", 1)[1].strip() for line in open("/proc/self/maps") if "libopenblas" in line})
print(json.dumps({"version": torch.__version__, "blas": blas}))
`

/** A Python with PyTorch. */
export interface Torch {
  readonly python: string
  readonly version: string
  /** Files of OpenBLAS that it loads; empty where it uses another library. */
  readonly blas: readonly string[]
  /** Environment to run it with on so many threads. */
  environment(threads: number): Record<string, string>
}

/** Finds a Python that has PyTorch: LOAM_PYTHON, the system's, or the first on the path. */
export async function findTorch(): Promise<Torch | undefined> {
  const environment = (threads: number): Record<string, string> => ({
    OMP_NUM_THREADS: String(threads),
    OPENBLAS_NUM_THREADS: String(threads),
    PYTHONDONTWRITEBYTECODE: '1',
    ...(existsSync(OPENMP_BLAS) && { LD_LIBRARY_PATH: OPENMP_BLAS })
  })
  const asked = process.env.LOAM_PYTHON
  for (const python of asked ? [asked] : ['/usr/bin/python3', 'python3']) {
    try {
      const found = (await runJson(python, ['-c', PROBE], environment(1))) as Pick<Torch, 'version' | 'blas'>
      return { python, ...found, environment }
    } catch {
      // Not this one: the next may have it.
    }
  }
  return undefined
}
