import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import type { ListedFile } from '../../formats/index.ts'
import { parseModelConfig } from '../../model/families/index.ts'
import { type BaseFile, hex } from '../../protocol/index.ts'
import type { Home } from '../home/home.ts'
import type { BlockExchange, FetchProgress } from '../network/index.ts'
import { syncFolder } from '../storage/index.ts'

/** The file that tells whether Loam supports the model: it is fetched before the others. */
const FIRST = 'config.json'

/**
 * Fetches the charter's base model from members into `HOME/base`, which appears once it is complete. Resumes from what
 * an earlier call left in `HOME/base.partial`. Waits for members until `signal` aborts.
 *
 * @param exchange whose block store is `HOME/base.partial`
 * @returns the files in `HOME/base`
 * @throws {PeerError} when the disk has no room, or a file differs from the charter's
 * @throws {StoreError} when a write fails
 * @throws {UnsupportedModelError} when Loam does not support the consortium's model
 */
export async function fetchBase(
  exchange: Pick<BlockExchange, 'fetchFiles'>,
  home: Home,
  files: readonly BaseFile[],
  onProgress: (progress: FetchProgress) => void,
  signal: AbortSignal
): Promise<ListedFile[]> {
  const folder = home.basePartial
  await mkdir(folder, { recursive: true })
  const wanted = files.map(({ path, bytes, blocks }) => ({
    path: join(folder, path),
    bytes,
    digest: hex(blocks)
  }))
  const first = wanted.filter(({ path }) => path === join(folder, FIRST))
  const others = wanted.filter((file) => !first.includes(file))
  const fetched = await exchange.fetchFiles(first, { signal })
  parseModelConfig(readJsonObject(join(folder, FIRST)))
  fetched.push(...(await exchange.fetchFiles(others, { signal, onProgress })))
  const names = new Set(files.map(({ path }) => path))
  for (const name of await readdir(folder))
    if (!names.has(name)) await rm(join(folder, name), { recursive: true })
  await rename(folder, home.base)
  await syncFolder(home.folder)
  return fetched.map(({ path, ...file }) => ({ ...file, path: path.replace(folder, home.base) }))
}
