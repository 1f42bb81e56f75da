/** Models as Prada needs them: logits behind every token of a text, and what each id stands for. */
export { createDecoderModel, type DecoderModelOptions, tokenModelDigest } from './decoder-model.ts'
export { type LlamaCppModel, type LlamaCppOptions, openLlamaCppModel } from './llama-cpp/llama-cpp-model.ts'
export { LlamaCppError } from './llama-cpp/node-llama-cpp.ts'
export { commonPrefix, createTextLogits, type TextLogits } from './text-logits.ts'
export type { TokenModel, TokenText } from './token-model.ts'
export { readVocabulary } from './vocabulary-file.ts'
