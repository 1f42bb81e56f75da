import { availableParallelism } from 'node:os'
import { requireRegularFile } from '../../../formats/index.ts'
import type { Vocabulary } from '../../core/index.ts'
import type { TokenModel } from '../token-model.ts'
import { fileSha256 } from './file-sha256.ts'
import { ggufVocabulary } from './gguf-vocabulary.ts'
import { measureBatchError } from './measure-batch-error.ts'
import { LlamaCppError, loadNodeLlamaCpp } from './node-llama-cpp.ts'
import { createSequencePool } from './sequence-pool.ts'

/** How a GGUF file is run. */
export interface LlamaCppOptions {
  /** Longest text, tokens; the model's training context unless given, at most 4,096. */
  readonly context?: number
  /** Texts whose keys and values are kept; others are computed anew when they go on. Each takes memory for `context`. */
  readonly sequences?: number
  /** Threads of a pass; half the processors unless given. llama.cpp's spin while they wait: more are slow beside others. */
  readonly threads?: number
  /** Whether to use a GPU that llama.cpp finds. */
  readonly gpu?: boolean
  /** Folder of the package node-llama-cpp; beside Loam unless given. */
  readonly packageFolder?: string
}

/** A GGUF file that runs. */
export interface LlamaCppModel {
  readonly model: TokenModel
  readonly vocabulary: Vocabulary
  /** SHA-256 of the file, 64 hex digits. */
  readonly digest: string
}

const CONTEXT_MAX = 4_096
const SEQUENCES = 8

/**
 * Runs a GGUF file with llama.cpp, as a model that `createLogitsService` can serve:
 *
 * ```ts
 * const { model, vocabulary, digest } = await openLlamaCppModel('model.gguf')
 * const service = createLogitsService({ name: 'model.gguf', model, digest, vocabulary }, DEFAULT_LOGITS_LIMITS)
 * ```
 *
 * It needs the optional peer dependency node-llama-cpp, which brings llama.cpp built for common systems from the npm
 * registry; its install script is not needed (`--ignore-scripts`), and nothing is built here. Logits are those before any
 * sampling. They differ a little with the shape of a batch: `batchError` says by how much, measured when it is opened.
 *
 * @throws {LlamaCppError} when node-llama-cpp is missing, or llama.cpp cannot load the file
 * @throws {VocabularyError} when the file's tokenizer is of a kind whose tokens have no bytes here
 */
export async function openLlamaCppModel(file: string, options: LlamaCppOptions = {}): Promise<LlamaCppModel> {
  const { getLlama } = await loadNodeLlamaCpp(options.packageFolder)
  requireRegularFile(file)
  const llama = await getLlama({
    build: 'never',
    logLevel: 'error',
    ...(options.gpu !== true && { gpu: false })
  })
  try {
    const loaded = await llama.loadModel({ modelPath: file })
    const vocabulary = ggufVocabulary(loaded.fileInfo.metadata.tokenizer?.ggml)
    const context = options.context ?? Math.min(loaded.trainContextSize, CONTEXT_MAX)
    const sequences = options.sequences ?? SEQUENCES
    const made = await loaded.createContext({
      sequences,
      contextSize: context,
      batchSize: Math.min(context, 512),
      // Shorter keys and values would make the differences between batches about a hundred times as large.
      flashAttention: false,
      experimentalKvCacheKeyType: 'F32',
      experimentalKvCacheValueType: 'F32',
      threads: options.threads ?? Math.max(1, Math.floor(availableParallelism() / 2))
    })
    const pool = createSequencePool(
      Array.from({ length: sequences }, () => made.getSequence()),
      vocabulary.tokens.length,
      context
    )
    const batchError = await measureBatchError(pool.start, vocabulary.tokens.length, context)
    const digest = await fileSha256(file)
    return {
      vocabulary,
      digest,
      model: {
        context,
        vocabularySize: vocabulary.tokens.length,
        batchError,
        start: pool.start,
        dispose: async () => {
          await made.dispose()
          await loaded.dispose()
          await llama.dispose()
        }
      }
    }
  } catch (error) {
    await llama.dispose()
    if (error instanceof LlamaCppError || (error as Error).name === 'VocabularyError') throw error
    throw new LlamaCppError(`llama.cpp cannot run ${file}: ${(error as Error).message}`, { cause: error })
  }
}
