import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeText } from '../../src/data/index.ts'
import { ggufChunks } from '../../src/formats/index.ts'
import { loadBaseModel } from '../../src/model/index.ts'
import { ggufModel } from '../../src/node/export/gguf-model.ts'
import { writeFileAtomic } from '../../src/node/storage/index.ts'
import { openLlamaCpp } from './open-llama-cpp.ts'

/** A model to judge, as files that llama.cpp reads. */
export interface LlamaCppCase {
  readonly name: string
  readonly model: string
  readonly adapter?: string
}

/**
 * Log-probability of every token but the first under llama.cpp, float32 throughout.
 *
 * @param nodeLlamaCpp folder of the package node-llama-cpp
 * @returns by case
 */
export async function llamaCppScores(
  nodeLlamaCpp: string,
  cases: readonly LlamaCppCase[],
  ids: readonly number[]
): Promise<number[][]> {
  const llama = await openLlamaCpp(nodeLlamaCpp)
  const scores: number[][] = []
  for (const { model: path, adapter } of cases) {
    const model = await llama.load(path, adapter)
    scores.push(await model.logProbabilities(ids))
    await model.dispose()
  }
  await llama.dispose()
  return scores
}

/** Writes a base model as GGUF in float32 for as long as `use` runs. */
export async function withGgufModel<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  const temporary = await mkdtemp(join(tmpdir(), 'loam-judge-'))
  try {
    const base = loadBaseModel(folder)
    const path = join(temporary, 'base.gguf')
    await writeFileAtomic(path, ggufChunks(await ggufModel(base, base.weights, 'base', 'F32')))
    return await use(path)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** First tokens of a text, its beginning-of-sequence id before them. */
export async function textIds(folder: string, textFile: string, count: number): Promise<number[]> {
  const { tokenizer } = loadBaseModel(folder)
  return encodeText(tokenizer, await readFile(textFile, 'utf8')).slice(0, count)
}
