/** Models as Prada uses them: logits after every token of a text, and the bytes of each id. */
export { createDecoderModel, type DecoderModelOptions, tokenModelDigest } from './decoder-model.ts'
export { type LlamaCppModel, type LlamaCppOptions, openLlamaCppModel } from './llama-cpp/llama-cpp-model.ts'
export { LlamaCppError } from './llama-cpp/node-llama-cpp.ts'
export { commonPrefix, createTextLogits, type TextLogits } from './text-logits.ts'
export type { TokenModel, TokenText } from './token-model.ts'
export { readVocabulary } from './vocabulary-file.ts'
