import { join } from 'node:path'
import { z } from 'zod'
import { packageRoot } from '../../src/package-root.ts'
import type { RunCommand } from './run-command.ts'

/** What the tarball may contain. Tests, simulator, experiments, benchmarks, checks and pretraining do not ship. */
const ALLOWED = [
  /^dist\/src\/.+\.(?:js|d\.ts)$/,
  /^dist\/scripts\/testnet\/.+\.(?:js|d\.ts)$/,
  /^(?:corpora|deploy|docs|models\/loam-base-1m)\//,
  /^(?:package\.json|README\.md|CHANGELOG\.md|LICENSE-APACHE|LICENSE-MIT)$/
]
/** What it must not contain, although it lies in a folder that ships. */
const FORBIDDEN = [/^docs\/results\//, /\.spec\./]
/** Files that an installed Loam reads. */
const NEEDED = [
  'dist/src/cli/main.js',
  'dist/src/index.d.ts',
  'dist/scripts/testnet/testnet.js',
  'corpora/domains.jsonl.br',
  'models/loam-base-1m/model.safetensors',
  'CHANGELOG.md',
  'LICENSE-APACHE',
  'LICENSE-MIT'
]

const packedSchema = z.object({
  filename: z.string(),
  size: z.number(),
  unpackedSize: z.number(),
  files: z.array(z.object({ path: z.string() }))
})
// npm 12 gives an object by package name, earlier ones a list.
const answerSchema = z.union([z.array(packedSchema), z.record(z.string(), packedSchema)])

/** A packed Loam. */
export interface Tarball {
  readonly path: string
  /** Compressed, and unpacked. */
  readonly bytes: number
  readonly unpackedBytes: number
}

/**
 * Packs the built package, and checks what is in it.
 *
 * @param folder where the tarball goes
 * @throws {Error} when it contains a file that must not ship, or lacks one that an installed Loam reads
 */
export async function packTarball(folder: string, run: RunCommand): Promise<Tarball> {
  const { stdout } = await run(packageRoot(), 'npm', 'pack', '--json', '--pack-destination', folder)
  const [packed] = Object.values(answerSchema.parse(JSON.parse(stdout)))
  if (packed === undefined) throw new Error('npm pack packed nothing')
  const paths = packed.files.map(({ path }) => path)
  const wrong = paths.filter(
    (path) => !ALLOWED.some((each) => each.test(path)) || FORBIDDEN.some((each) => each.test(path))
  )
  if (wrong.length > 0) throw new Error(`the tarball contains files that must not ship: ${wrong.join(', ')}`)
  const missing = NEEDED.filter((path) => !paths.includes(path))
  if (missing.length > 0) throw new Error(`the tarball lacks ${missing.join(', ')}`)
  return { path: join(folder, packed.filename), bytes: packed.size, unpackedBytes: packed.unpackedSize }
}
