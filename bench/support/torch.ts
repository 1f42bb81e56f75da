import { existsSync } from 'node:fs'
import { runJson } from './run-json.ts'

/** Debian's OpenBLAS built on OpenMP; the default build uses its own threads, which compete with PyTorch's. */
const OPENMP_BLAS = '/usr/lib/x86_64-linux-gnu/openblas-openmp'

const PROBE = `
import ctypes, json, torch
blas = sorted({"/" + line.split("/", 1)[1].strip() for line in open("/proc/self/maps") if "libopenblas" in line})
def core(path):
    name = ctypes.CDLL(path).openblas_get_corename
    name.restype = ctypes.c_char_p
    return name().decode()
print(json.dumps({"version": torch.__version__, "blas": blas, "cores": [core(path) for path in blas]}))
`

/** A Python with PyTorch. */
export interface Torch {
  readonly python: string
  readonly version: string
  /** Files of OpenBLAS that it loads; empty if it uses another library. */
  readonly blas: readonly string[]
  /** The processor for which each of them chose its kernels. */
  readonly cores: readonly string[]
  /** Environment for running it with the given number of threads. */
  environment(threads: number): Record<string, string>
}

/**
 * Describes PyTorch and its libraries, or why there is none.
 *
 * @param isWanted whether it was searched for
 */
export function describeTorch(torch: Torch | undefined, isWanted: boolean): string {
  if (!isWanted) return 'PyTorch is left out.'
  if (!torch) return 'No python3 has torch here: Loam runs alone (Debian: python3-torch).'
  const { python, version, blas, cores } = torch
  const libraries = blas.map((path, index) => `${path}, kernels for ${cores[index]}`)
  const forced = process.env.OPENBLAS_CORETYPE
  return (
    `PyTorch ${version} of ${python} (${libraries.join('; ') || 'no OpenBLAS'})` +
    (forced ? `\nOPENBLAS_CORETYPE=${forced} is set: without it OpenBLAS chooses its kernels itself` : '')
  )
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
      const found = (await runJson(python, ['-c', PROBE], environment(1))) as Omit<
        Torch,
        'python' | 'environment'
      >
      return { python, ...found, environment }
    } catch {
      // Not this one; the next may have it.
    }
  }
  return undefined
}
