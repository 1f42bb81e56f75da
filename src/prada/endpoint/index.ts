/**
 * An OpenAI-compatible HTTP endpoint over a source of texts: a local model, or Prada's combined distribution.
 *
 * @example
 * ```ts
 * const endpoint = createEndpoint({ version: '0.1.0' })
 * await endpoint.app.listen({ host: '127.0.0.1', port: 8080 })
 * endpoint.use(createLocalSource(model, { name: 'mine', fingerprint, tokenizer, tokens, renderChat, stopIds: [0] }))
 * ```
 */
export { createEndpoint, type Endpoint, type EndpointOptions } from './endpoint.ts'
export { asEndpointError, EndpointError, type ErrorBody, errorBody } from './endpoint-error.ts'
export { DEFAULT_ENDPOINT_LIMITS, type EndpointLimits } from './limits.ts'
export { createLocalSource, type SourceDescription } from './local-source.ts'
export { type MadeTextEnd, type TextPiece, type TextPieceOptions, textPieces } from './made-text.ts'
export { createPradaSource, type PradaSourceOptions } from './prada-source.ts'
export type { MadeToken, SourceText, TextEnd, TextRequest, TextSource } from './text-source.ts'
