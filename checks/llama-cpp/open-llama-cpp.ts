import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A model in llama.cpp. */
export interface LlamaCppModel {
  /** Ids of a whole text, with the prefix that the model's file specifies; special tokens are parsed. */
  tokenize(text: string): number[]
  /** Log-probability of every token but the first, float32 throughout. */
  logProbabilities(ids: readonly number[]): Promise<number[]>
  dispose(): Promise<void>
}

/** llama.cpp, through the package node-llama-cpp in a folder outside the project. */
export interface LlamaCpp {
  /** @param adapter GGUF file of a LoRA adapter to apply */
  load(modelPath: string, adapter?: string): Promise<LlamaCppModel>
  dispose(): Promise<void>
}

/** The part of node-llama-cpp that is used. Loam does not depend on the package, so its types are not available. */
interface NodeLlamaCpp {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{
      readonly tokens: { readonly shouldPrependBosToken: boolean; readonly bos: number | null }
      tokenize(text: string, specialTokens: boolean): number[]
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

/** @param nodeLlamaCpp folder of the package node-llama-cpp */
export async function openLlamaCpp(nodeLlamaCpp: string): Promise<LlamaCpp> {
  const entry = createRequire(join(resolve(nodeLlamaCpp), 'package.json')).resolve('./dist/index.js')
  const { getLlama } = (await import(pathToFileURL(entry).href)) as NodeLlamaCpp
  const llama = await getLlama({ build: 'never', gpu: false, logLevel: 'error' })
  return {
    async load(modelPath, adapter) {
      const model = await llama.loadModel({ modelPath, useMmap: false })
      const { shouldPrependBosToken, bos } = model.tokens
      const before = shouldPrependBosToken && bos !== null ? [bos] : []
      return {
        tokenize: (text) => [...before, ...model.tokenize(text, true)],
        async logProbabilities(ids) {
          const context = await model.createContext({
            contextSize: ids.length,
            batchSize: ids.length,
            flashAttention: false,
            experimentalKvCacheKeyType: 'F32',
            experimentalKvCacheValueType: 'F32',
            threads: 1,
            ...(adapter !== undefined && { lora: adapter })
          })
          const wanted = { generateNext: { probabilities: true } }
          const outcomes = await context
            .getSequence()
            .controlledEvaluate(ids.map((id) => [id, wanted] as const))
          await context.dispose()
          return ids.slice(1).map((id, index) => {
            const probabilities = outcomes[index]?.next.probabilities
            const probability = probabilities?.get(id)
            if (probabilities === undefined || probability === undefined)
              throw new Error(`llama.cpp gave no probability for token ${index + 1}`)
            // Summed in float32 over a large vocabulary, they do not add up to exactly 1.
            let total = 0
            for (const one of probabilities.values()) total += one
            return Math.log(probability / total)
          })
        },
        dispose: () => model.dispose()
      }
    },
    dispose: () => llama.dispose()
  }
}
