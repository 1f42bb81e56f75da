/**
 * Generation: a decoder with a cache of keys and values, sampling, and streams of tokens and of text.
 *
 * @example
 * ```ts
 * const { config, tokenizer, weights } = loadBaseModel('models/mine')
 * const generator = await createGenerator({ config, threads: 2 })
 * const ids = tokenizer.encode('Once upon a time')
 * for await (const piece of streamText(generator, { tokenizer, weights, ids, maxTokens: 50, temperature: 0.8 }))
 *   process.stdout.write(piece)
 * await generator.dispose()
 * ```
 */
export {
  ContextLengthError,
  createDecoder,
  type DecodedText,
  type Decoder,
  type DecoderOptions
} from './decoder.ts'
export { createDetokenizer, type Detokenizer } from './detokenizer.ts'
export {
  createGenerator,
  type FinishReason,
  type GenerateOptions,
  type Generator,
  type GeneratorOptions
} from './generator.ts'
export { promptTokens } from './prompt-tokens.ts'
export { type SamplingSettings, sampleToken } from './sampling.ts'
export { createStopFilter, type StopFilter } from './stop-filter.ts'
export { streamText, type TextStreamEnd, type TextStreamOptions } from './text-stream.ts'
