import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  decodePeftFolder,
  encodePeftFolder,
  type LoraAdapter,
  PEFT_CONFIG_FILE,
  PEFT_WEIGHTS_FILE
} from '../../adapter/index.ts'
import { type ElementFormat, FormatError, requireRegularFile } from '../../formats/index.ts'
import { writeFileAtomic } from '../storage/index.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'

/**
 * Reads a PEFT folder as an adapter of the plain scale alpha / rank.
 *
 * @throws {PeerError} when a file is missing or damaged
 */
export async function readPeftFolder(folder: string): Promise<LoraAdapter> {
  try {
    for (const name of [PEFT_CONFIG_FILE, PEFT_WEIGHTS_FILE]) requireRegularFile(join(folder, name))
    const config = JSON.parse(await readFile(join(folder, PEFT_CONFIG_FILE), 'utf8'))
    const weights = await readFile(join(folder, PEFT_WEIGHTS_FILE))
    const { adapter, rsLora } = decodePeftFolder(config, weights)
    if (!rsLora) return adapter
    return { pairs: adapter.pairs.map((pair) => ({ ...pair, alpha: pair.alpha * Math.sqrt(pair.rank) })) }
  } catch (error) {
    if (isMissing(error))
      throw new PeerError(`${folder} is not a PEFT adapter folder: ${(error as Error).message}`)
    if (error instanceof FormatError || error instanceof SyntaxError)
      throw new PeerError(`${folder}: ${error.message}`)
    throw error
  }
}

/** Writes a PEFT folder; `rsLora` says that the scale is alpha / √rank. */
export async function writePeftFolder(
  folder: string,
  adapter: LoraAdapter,
  baseModel: string,
  dtype: ElementFormat = 'F32',
  rsLora = false
): Promise<void> {
  const { config, weights } = encodePeftFolder(adapter, baseModel, rsLora, dtype)
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(join(folder, PEFT_WEIGHTS_FILE), weights)
  await writeFileAtomic(
    join(folder, PEFT_CONFIG_FILE),
    new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`)
  )
}
