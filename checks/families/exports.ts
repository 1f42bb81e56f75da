import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ggufLora, type LoraAdapter } from '../../src/adapter/index.ts'
import { type GgufFile, ggufChunks } from '../../src/formats/index.ts'
import { applyAdapter, type BaseModel, createEvaluator } from '../../src/model/index.ts'
import { ggufArchitecture, ggufModel } from '../../src/node/export/gguf-model.ts'
import { writeModelFolder } from '../../src/node/export/model-folder.ts'
import { writePeftFolder } from '../../src/node/export/peft-files.ts'
import { writeFileAtomic } from '../../src/node/storage/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { llamaCppScores } from '../llama-cpp/score-texts.ts'

/** One adapter in all forms. */
export interface Exported {
  readonly base: string
  readonly merged: string
  readonly peft: string
  /** Of the base, of the model with the adapter merged in, and of the adapter; or why there are none. */
  readonly gguf: { readonly base: string; readonly merged: string; readonly adapter: string } | Error
  readonly ids: readonly number[]
  /** Loam's own log-probabilities with the adapter. */
  readonly scores: readonly number[]
}

/** Writes an adapter of a tiny base in every form that Loam has. */
export async function exportAll(
  base: BaseModel,
  adapter: LoraAdapter,
  ids: readonly number[],
  folder: string
): Promise<Exported> {
  const merged = join(folder, 'merged')
  const peft = join(folder, 'peft')
  const weights = applyAdapter(base.weights, adapter)
  await writeModelFolder(merged, base, weights, { dtype: 'F32' })
  await writePeftFolder(peft, adapter, base.folder)
  const evaluator = await createEvaluator({ config: base.config, context: ids.length })
  const { perToken } = await evaluator.score({ weights: base.weights, ids, adapter })
  await evaluator.dispose()
  return {
    base: base.folder,
    merged,
    peft,
    gguf: await ggufFiles(base, adapter, weights, folder).catch((error: Error) => error),
    ids,
    scores: perToken.slice(1).map(({ logProb }) => logProb!)
  }
}

async function ggufFiles(
  base: BaseModel,
  adapter: LoraAdapter,
  weights: BaseModel['weights'],
  folder: string
) {
  await mkdir(folder, { recursive: true })
  const write = async (name: string, file: GgufFile): Promise<string> => {
    const path = join(folder, name)
    await writeFileAtomic(path, ggufChunks(file))
    return path
  }
  return {
    base: await write('base.gguf', await ggufModel(base, base.weights, 'base', 'F32')),
    merged: await write('merged.gguf', await ggufModel(base, weights, 'merged', 'F32')),
    adapter: await write('adapter.gguf', ggufLora(adapter, ggufArchitecture(base), 'adapter'))
  }
}

/** What transformers and PEFT compute with the folders. */
export async function pythonScores(
  python: string,
  exported: readonly Exported[],
  folder: string
): Promise<readonly { readonly merged: number[]; readonly peft: number[] }[]> {
  const file = join(folder, 'jobs.json')
  await writeFile(file, JSON.stringify(exported))
  const script = join(packageRoot(), 'checks/families/exported.py')
  const { stdout } = await promisify(execFile)(python, [script, file], { maxBuffer: 64 * 1024 * 1024 })
  return JSON.parse(stdout)
}

/** What llama.cpp computes with the files: merged, and base and adapter. */
export async function ggufScores(
  nodeLlamaCpp: string,
  { base, merged, adapter }: { readonly base: string; readonly merged: string; readonly adapter: string },
  ids: readonly number[]
): Promise<number[][]> {
  const cases = [
    { name: 'merged', model: merged },
    { name: 'adapter', model: base, adapter }
  ]
  return llamaCppScores(nodeLlamaCpp, cases, ids)
}
