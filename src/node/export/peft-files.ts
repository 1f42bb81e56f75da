import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  adapterTensors,
  decodePeftFolder,
  encodePeftFolder,
  type LoraAdapter,
  PEFT_CONFIG_FILE,
  PEFT_WEIGHTS_FILE
} from '../../adapter/index.ts'
import {
  type ElementFormat,
  FormatError,
  notTheFileItself,
  readJsonObject,
  requireRegularFile
} from '../../formats/index.ts'
import { writeFileAtomic } from '../storage/index.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'
import { requireFittingAdapter } from './fitting-adapter.ts'
import { requireRange } from './require-range.ts'

/**
 * Reads a PEFT folder as an adapter of the plain scale alpha / rank.
 *
 * @param baseFolder the model that it is to fit, if it is known
 * @throws {PeerError} when a file is missing or damaged, says something that is not supported, or does not fit the model
 */
export async function readPeftFolder(folder: string, baseFolder?: string): Promise<LoraAdapter> {
  try {
    const config = readJsonObject(join(folder, PEFT_CONFIG_FILE))
    const read = decodePeftFolder(config, await readWeights(folder))
    const { adapter, rsLora, copies } = read
    if (baseFolder !== undefined) requireFittingAdapter(folder, baseFolder, read)
    else if (copies.size > 0)
      throw new PeerError(
        `${folder}: ${PEFT_WEIGHTS_FILE} has weights of the base beside the factors (${[...copies.keys()].join(', ')})`
      )
    if (!rsLora) return adapter
    return { pairs: adapter.pairs.map((pair) => ({ ...pair, alpha: pair.alpha * Math.sqrt(pair.rank) })) }
  } catch (error) {
    if (isMissing(error)) throw new PeerError(await missing(folder))
    if (error instanceof FormatError)
      throw new PeerError(error.message.startsWith(folder) ? error.message : `${folder}: ${error.message}`)
    throw error
  }
}

async function readWeights(folder: string): Promise<Uint8Array> {
  const path = join(folder, PEFT_WEIGHTS_FILE)
  requireRegularFile(path)
  const bytes = await readFile(path)
  const standIn = notTheFileItself(bytes)
  if (standIn !== undefined) throw new PeerError(`${path} ${standIn}`)
  return bytes
}

/** What is wrong with a folder that lacks one of the two files. */
async function missing(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) return `${folder} is not a PEFT adapter folder: it does not exist`
  const names = entries.map(({ name }) => name)
  const inside = entries.find(
    (entry) => entry.isDirectory() && existsSync(join(folder, entry.name, PEFT_CONFIG_FILE))
  )
  if (!names.includes(PEFT_CONFIG_FILE) && inside !== undefined)
    return `${folder} is not a PEFT adapter folder, but ${join(folder, inside.name)} is: name that one`
  if (names.includes(PEFT_CONFIG_FILE) && names.includes('adapter_model.bin'))
    return `${folder} holds its factors in adapter_model.bin, a pickle, which can run code and is not supported: load the adapter in PEFT and save it again, model.save_pretrained(folder, safe_serialization=True), which writes ${PEFT_WEIGHTS_FILE}`
  const absent = [PEFT_CONFIG_FILE, PEFT_WEIGHTS_FILE].filter((name) => !names.includes(name))
  return `${folder} is not a PEFT adapter folder: ${absent.join(' and ')} ${absent.length === 1 ? 'is' : 'are'} missing`
}

/** Writes a PEFT folder; `rsLora` says that the scale is alpha / √rank. */
export async function writePeftFolder(
  folder: string,
  adapter: LoraAdapter,
  baseModel: string,
  dtype: ElementFormat = 'F32',
  rsLora = false
): Promise<void> {
  requireRange(adapterTensors(adapter), dtype)
  const { config, weights } = encodePeftFolder(adapter, baseModel, rsLora, dtype)
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(join(folder, PEFT_WEIGHTS_FILE), weights)
  await writeFileAtomic(
    join(folder, PEFT_CONFIG_FILE),
    new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`)
  )
}
