import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { encodeText } from '../../src/data/index.ts'
import { ggufChunks } from '../../src/formats/index.ts'
import { loadBaseModel } from '../../src/model/index.ts'
import { ggufModel } from '../../src/node/export/gguf-model.ts'
import { writeFileAtomic } from '../../src/node/storage/index.ts'

/** A model to judge, as files that llama.cpp reads. */
export interface LlamaCppCase {
  readonly name: string
  readonly model: string
  readonly adapter?: string
}

/** The part of node-llama-cpp that is used; it is no dependency, so its types are not at hand. */
interface NodeLlamaCpp {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{
        getSequence(): {
          controlledEvaluate(
            input: readonly (readonly [number, object])[]
          ): Promise<readonly ({ next: { probabilities?: Map<number, number> } } | undefined)[]>
        }
        dispose(): Promise<void>
      }>
      dispose(): Promise<void>
    }>
    dispose(): Promise<void>
  }>
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
  const entry = createRequire(join(resolve(nodeLlamaCpp), 'package.json')).resolve('./dist/index.js')
  const { getLlama } = (await import(pathToFileURL(entry).href)) as NodeLlamaCpp
  const llama = await getLlama({ build: 'never', gpu: false, logLevel: 'error' })
  const scores: number[][] = []
  for (const { model: modelPath, adapter } of cases) {
    const model = await llama.loadModel({ modelPath, useMmap: false })
    const context = await model.createContext({
      contextSize: ids.length,
      batchSize: ids.length,
      flashAttention: false,
      experimentalKvCacheKeyType: 'F32',
      experimentalKvCacheValueType: 'F32',
      threads: 1,
      ...(adapter === undefined ? {} : { lora: adapter })
    })
    const wanted = { generateNext: { probabilities: true } }
    const outcomes = await context.getSequence().controlledEvaluate(ids.map((id) => [id, wanted] as const))
    scores.push(
      ids.slice(1).map((id, index) => {
        const probability = outcomes[index]?.next.probabilities?.get(id)
        if (probability === undefined) throw new Error(`llama.cpp gave no probability for token ${index + 1}`)
        return Math.log(probability)
      })
    )
    await context.dispose()
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
