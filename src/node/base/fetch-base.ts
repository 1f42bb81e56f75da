import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileDigest } from '../../formats/digest/file-digest.ts'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { parameterShapes, parseModelConfig } from '../../model/families/index.ts'
import { type Charter, equalBytes } from '../../protocol/index.ts'
import type { Home } from '../home/home.ts'
import { syncFolder } from '../storage/index.ts'
import { completeBaseFolder } from './base-folder.ts'
import type { BaseFileName } from './base-protocol.ts'
import { type BaseClient, fetchFile } from './fetch-file.ts'
import { PartialFile } from './partial-file.ts'

const MIB = 1024 * 1024
/** Far above what the largest known have. */
const CONFIG_BYTES_MAX = MIB
const TOKENIZER_BYTES_MAX = 128 * MIB

/**
 * Gets the charter's base model from members into `HOME/base`, which is there once all of it has the charter's digests.
 * What an earlier call left in `HOME/base.partial` is gone on with. Waits for members until `signal` ends it.
 *
 * @throws {PeerError} when there is no room, or the consortium's model is of no kind that Loam runs
 * @throws {StoreError} when the disk does not take it
 */
export async function fetchBase(
  client: BaseClient,
  home: Home,
  base: Charter['base'],
  signal: AbortSignal
): Promise<void> {
  const folder = home.basePartial
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder))
    if (name.endsWith('.safetensors')) await rm(join(folder, name), { force: true })
  const get = async (name: BaseFileName, path: string, bytesMax: number) => {
    if (await isWhole(path, base[name])) return
    const partial = await PartialFile.open(path)
    const earlierBytes = partial.length
    try {
      await fetchFile(client, { name, digest: base[name], bytesMax }, partial, signal)
      await partial.finish()
      client.log.info(
        { file: name, bytes: partial.length, earlierBytes },
        "a file of the base has the charter's digest"
      )
    } finally {
      await partial.close()
    }
  }
  await get('config', join(folder, 'config.json'), CONFIG_BYTES_MAX)
  const weightsMax = weightBytesMax(readJsonObject(join(folder, 'config.json')))
  await get('tokenizer', join(folder, 'tokenizer.json'), TOKENIZER_BYTES_MAX)
  await get('weights', join(folder, 'weights'), weightsMax)
  await completeBaseFolder(folder)
  await rename(folder, home.base)
  await syncFolder(home.folder)
}

/** A file that is there and false (cut while it was being split) is gone on with. */
async function isWhole(path: string, digest: Uint8Array): Promise<boolean> {
  if (!existsSync(path)) return false
  if (equalBytes(await fileDigest(path), digest)) return true
  await rename(path, `${path}.partial`)
  return false
}

/**
 * Most that a model's weight files can have: its parameters in float32, and as much again for what checkpoints have
 * besides (tied copies, masks, headers).
 *
 * @param configJson contents of config.json
 * @throws {UnsupportedModelError} for a model that Loam does not run
 */
export function weightBytesMax(configJson: object): number {
  const shapes = [...parameterShapes(parseModelConfig(configJson)).values()]
  const elements = shapes.reduce(
    (sum, shape) => sum + shape.reduce((product, extent) => product * extent, 1),
    0
  )
  return 8 * elements + 64 * MIB
}
