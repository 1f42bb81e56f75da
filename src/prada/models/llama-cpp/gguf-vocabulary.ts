import { z } from 'zod'
import { type Vocabulary, VocabularyError } from '../../core/index.ts'
import { byteLevelBytes, pieceBytes } from '../vocabulary-file.ts'

/** `tokenizer.ggml` of a GGUF file. */
const tokenizerSchema = z.looseObject({
  model: z.string(),
  tokens: z.array(z.string()),
  token_type: z.array(z.number()).optional(),
  bos_token_id: z.number().optional(),
  eos_token_id: z.number().optional()
})

/** `token_type` of tokens whose text is literal: control and user-defined tokens. */
const LITERAL_TYPES: ReadonlySet<number> = new Set([3, 4])

/** Tokenizer types, as named in a tokenizer.json of the same model. */
const TYPES: Readonly<Record<string, string>> = { gpt2: 'BPE, byte level', llama: 'BPE' }

/**
 * The bytes that each id of a GGUF file's tokenizer stands for.
 *
 * @param metadata `tokenizer.ggml` of the file
 * @throws {VocabularyError} if the tokenizer is malformed or of an unsupported type
 */
export function ggufVocabulary(metadata: unknown): Vocabulary {
  const parsed = tokenizerSchema.safeParse(metadata)
  if (!parsed.success)
    throw new VocabularyError(`the GGUF file's tokenizer: ${z.prettifyError(parsed.error)}`)
  const { model, tokens, token_type, bos_token_id, eos_token_id } = parsed.data
  const type = TYPES[model]
  if (type === undefined)
    throw new VocabularyError(
      `the GGUF file's tokenizer has type ${model}: only ${Object.keys(TYPES).join(' and ')} are supported`
    )
  return {
    type,
    bosId: bos_token_id,
    eosId: eos_token_id,
    tokens: tokens.map((text, id) => {
      if (LITERAL_TYPES.has(token_type?.[id] ?? 1)) return new TextEncoder().encode(text)
      return model === 'gpt2' ? byteLevelBytes(text, id) : pieceBytes(text, true)
    })
  }
}
