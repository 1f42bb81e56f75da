import { join } from 'node:path'
import { loraScale, PEFT_CONFIG_FILE } from '../../adapter/index.ts'
import { type ElementFormat, readJsonObject } from '../../formats/index.ts'
import { applyAdapter, loadBaseModel } from '../../model/index.ts'
import { requireFreeFolder, requireOtherFolder } from '../storage/index.ts'
import { PeerError } from '../storage/peer-error.ts'
import { writeModelFolder } from './model-folder.ts'
import { readPeftFolder } from './peft-files.ts'

/** How to import. */
export interface ImportOptions {
  readonly baseFolder: string
  /** Where to write the base with the adapter merged in; undefined to check only. */
  readonly out: string | undefined
  readonly dtype: ElementFormat
  /** Whether what `out` contains is replaced; refused if absent. */
  readonly overwrite?: boolean | undefined
}

/** What was found and written. */
export interface ImportedAdapter {
  readonly modules: readonly string[]
  /** Different ranks, ascending. */
  readonly ranks: readonly number[]
  /** Different scales (alpha / rank, or alpha / √rank for rsLoRA), ascending. */
  readonly scales: readonly number[]
  /** The base model that the adapter names. */
  readonly baseModel: string | undefined
  readonly folder: string | undefined
}

/**
 * Checks a PEFT folder against a base model, and writes the base with the adapter merged in: a consortium that starts
 * from an adapter is created on this, since all members must hold the same base.
 *
 * A consortium's rounds, exported and imported one by one, give the bytes of its merged model. Rounds that were
 * exported together are added to the weight at once: rounded once, where the consortium rounded once a round.
 *
 * @throws {PeerError} when the folder is not a LoRA adapter, or does not fit the model
 */
export async function importAdapter(folder: string, options: ImportOptions): Promise<ImportedAdapter> {
  const { out, dtype, overwrite } = options
  if (out !== undefined) {
    await requireOtherFolder(out, { 'the adapter': folder, 'the base model': options.baseFolder })
    await requireFreeFolder(out, overwrite)
  }
  const adapter = await readPeftFolder(folder, options.baseFolder)
  const base = loadBaseModel(options.baseFolder)
  const weights = fitting(() => applyAdapter(base.weights, adapter), folder)
  if (out !== undefined) await writeModelFolder(out, base, weights, { dtype, overwrite })
  const config = readJsonObject(join(folder, PEFT_CONFIG_FILE)) as Record<string, unknown>
  const named = config.base_model_name_or_path
  return {
    modules: adapter.pairs.map(({ module }) => module),
    ranks: different(adapter.pairs.map(({ rank }) => rank)),
    scales: different(adapter.pairs.map((pair) => loraScale(pair))),
    baseModel: typeof named === 'string' ? named : undefined,
    folder: out
  }
}

function fitting<T>(apply: () => T, folder: string): T {
  try {
    return apply()
  } catch (error) {
    throw new PeerError(`${folder} does not fit the base model: ${(error as Error).message}`)
  }
}

function different(values: readonly number[]): number[] {
  return [...new Set(values)].sort((left, right) => left - right)
}
