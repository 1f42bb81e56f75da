import { join } from 'node:path'
import type { LoraAdapter } from '../../adapter/index.ts'
import type { RenderChat, TextTokenizer } from '../../data/index.ts'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import type { TensorMap } from '../../formats/index.ts'
import {
  applyAdapter,
  type Executor,
  type GenerationDefaults,
  loadBaseModel,
  loadChatTemplate,
  type ModelConfig
} from '../../model/index.ts'
import {
  createDecoderModel,
  readVocabulary,
  type TokenModel,
  tokenModelDigest,
  type Vocabulary
} from '../../prada/index.ts'

/** A base model's folder, with all that a server needs of it. */
export interface ModelFiles {
  readonly folder: string
  readonly config: ModelConfig
  /** Of the base. */
  readonly weights: TensorMap
  readonly tokenizer: TextTokenizer
  readonly vocabulary: Vocabulary
  readonly generation: GenerationDefaults
  /** The model's own chat template, or the one that was chosen; undefined where there is none. */
  readonly renderChat: RenderChat | undefined
  /** The model with these weights in place of its own, ready to run, and what makes its logits. */
  open(weights: TensorMap): OpenModel
  /** The base's weights with an adapter merged in. */
  adapted(adapter: LoraAdapter): TensorMap
}

/** A model that runs. */
export interface OpenModel {
  readonly model: TokenModel
  /** 64 hex digits. */
  readonly digest: string
}

export interface ModelFilesOptions {
  readonly folder: string
  /** Longest text, tokens; the model's maximum unless given. */
  readonly context?: number | undefined
  /** A template's name or file in place of the model's own. */
  readonly chatTemplate?: string | undefined
  /** What computes; onnxruntime unless given. */
  readonly executor?: Executor | undefined
}

/**
 * Loads a model's folder.
 *
 * @throws {Error} when a file is missing or malformed, or the model is of another kind
 */
export function loadModelFiles({ folder, context, chatTemplate, executor }: ModelFilesOptions): ModelFiles {
  const base = loadBaseModel(folder)
  const { config, tokenizer, weights } = base
  const vocabulary = readVocabulary(readJsonObject(join(folder, 'tokenizer.json')), tokenizer)
  return {
    ...base,
    vocabulary,
    renderChat: loadChatTemplate(folder, chatTemplate),
    open: (own) => {
      const options = {
        config,
        weights: own,
        ...(context !== undefined && { context }),
        ...(executor !== undefined && { executor })
      }
      return { model: createDecoderModel(options), digest: tokenModelDigest(options) }
    },
    adapted: (adapter) => applyAdapter(weights, adapter)
  }
}
