import { readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { decodeAdapterFile, isFinitePair, type LoraAdapter, PEFT_WEIGHTS_FILE } from '../../adapter/index.ts'
import { FormatError, requireRegularFile } from '../../formats/index.ts'
import { requireFittingAdapter } from '../../node/export/fitting-adapter.ts'
import { readPeftFolder } from '../../node/export/peft-files.ts'

/**
 * Reads the adapter at a path: a PEFT folder, the weights file in one, or a file that Loam wrote in a round
 * (`local.safetensors`).
 *
 * @param baseFolder the model that it is to fit
 * @throws {Error} when there is none, it is damaged, or does not fit the model
 */
export async function readAdapterPath(path: string, baseFolder: string): Promise<LoraAdapter> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || found.isDirectory()) return readPeftFolder(path, baseFolder)
  if (basename(path) === PEFT_WEIGHTS_FILE) return readPeftFolder(dirname(path), baseFolder)
  try {
    requireRegularFile(path)
    const { adapter } = decodeAdapterFile(await readFile(path))
    const damaged = adapter.pairs.find((pair) => !isFinitePair(pair))
    if (damaged !== undefined)
      throw new FormatError(`the factors of ${damaged.module} contain NaN or infinity`)
    requireFittingAdapter(path, baseFolder, { adapter })
    return adapter
  } catch (error) {
    if (error instanceof FormatError) throw new Error(`${path} is not an adapter: ${error.message}`)
    throw error
  }
}
