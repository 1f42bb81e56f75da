import { basename } from 'node:path'
import type { ModelFiles } from '../../../node/proxy/index.ts'
import {
  createLocalSource,
  createLogitsService,
  type Endpoint,
  openLlamaCppModel,
  requireSameVocabulary,
  type TokenModel
} from '../../../prada/index.ts'
import { noteUnused, openModelOf } from '../../options/open-prada.ts'
import { describeSource } from './describe-source.ts'
import type { LateLogits } from './late-logits.ts'
import type { Served } from './run-serve.ts'
import type { ServeFlags } from './serve.ts'

/** Loads a local model, generates texts from it, and serves its logits. */
export async function openLocal(
  flags: ServeFlags,
  endpoint: Endpoint,
  logits: LateLogits | undefined
): Promise<Served> {
  const { files, weights, name: found } = await openModelOf(flags)
  noteUnused(files.generation)
  const { model, digest } =
    flags.gguf === undefined ? files.open(weights) : await openGguf(flags.gguf, files, flags)
  const name = flags.name ?? (flags.gguf === undefined ? found : basename(flags.gguf))
  logits?.begin(createLogitsService({ name, model, digest, vocabulary: files.vocabulary }, logits.limits))
  endpoint.use(createLocalSource(model, describeSource(files, name, digest)))
  return { name, about: [], stop: async () => undefined }
}

/**
 * Opens a GGUF file in llama.cpp with the tokenizer of `--model`.
 *
 * @throws {VocabularyError} when the file has a different tokenizer
 */
async function openGguf(
  file: string,
  { vocabulary }: ModelFiles,
  { context }: ServeFlags
): Promise<{ readonly model: TokenModel; readonly digest: string }> {
  const packageFolder = process.env.LOAM_NODE_LLAMA_CPP
  const opened = await openLlamaCppModel(file, {
    ...(context !== undefined && { context }),
    ...(packageFolder !== undefined && packageFolder !== '' && { packageFolder })
  })
  try {
    requireSameVocabulary(vocabulary, opened.vocabulary)
    return opened
  } catch (error) {
    await opened.model.dispose()
    throw error
  }
}
