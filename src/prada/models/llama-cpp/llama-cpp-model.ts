import { availableParallelism } from 'node:os'
import { requireRegularFile } from '../../../formats/index.ts'
import type { Vocabulary } from '../../core/index.ts'
import type { TokenModel } from '../token-model.ts'
import { fileSha256 } from './file-sha256.ts'
import { ggufVocabulary } from './gguf-vocabulary.ts'
import { measureBatchError } from './measure-batch-error.ts'
import { LlamaCppError, loadNodeLlamaCpp } from './node-llama-cpp.ts'
import { createSequencePool } from './sequence-pool.ts'

/** Options for running a GGUF file. */
export interface LlamaCppOptions {
  /** Maximum text length, tokens; defaults to the model's training context, at most 4,096. */
  readonly context?: number
  /**
   * Number of texts whose keys and values are cached; others are recomputed when they continue. Each takes memory for
   * `context`.
   */
  readonly sequences?: number
  /**
   * Threads of a pass; defaults to half the processors. llama.cpp's threads spin while waiting, so more are slow on a
   * busy machine.
   */
  readonly threads?: number
  /** Whether to use a GPU if llama.cpp finds one. */
  readonly gpu?: boolean
  /** Folder of the node-llama-cpp package; resolved from Loam's location by default. */
  readonly packageFolder?: string
}

/** A running GGUF model. */
export interface LlamaCppModel {
  readonly model: TokenModel
  readonly vocabulary: Vocabulary
  /** SHA-256 of the file, 64 hex digits. */
  readonly digest: string
}

const CONTEXT_MAX = 4_096
const SEQUENCES = 8

/**
 * Runs a GGUF file with llama.cpp as a model that `createLogitsService` can serve:
 *
 * ```ts
 * const { model, vocabulary, digest } = await openLlamaCppModel('model.gguf')
 * const service = createLogitsService({ name: 'model.gguf', model, digest, vocabulary }, DEFAULT_LOGITS_LIMITS)
 * ```
 *
 * Requires the optional peer dependency node-llama-cpp, which provides prebuilt llama.cpp binaries for common systems
 * from the npm registry. Its install script is not needed (`--ignore-scripts`), and nothing is compiled here. Logits
 * are those before any sampling. They differ slightly with the shape of a batch; `batchError` is the difference
 * measured on opening.
 *
 * @throws {LlamaCppError} if node-llama-cpp is missing, or llama.cpp cannot load the file
 * @throws {VocabularyError} if the file's tokenizer is of an unsupported type
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
      // Lower-precision keys and values make the differences between batches about a hundred times as large.
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
