/**
 * Prada (Wang et al. 2025, arXiv 2503.14932): a small proxy adapted by a consortium steers a black-box model over a
 * low-bandwidth connection and yields exactly the tokens that whole rows of logits would give.
 *
 * @example
 * ```ts
 * const remote = await connectLogitsServer(createHttpTransport({ url }))
 * const components = pairProxy({ base, adapted }, vocabulary, remote)
 * const { tokens } = startPradaText(components, DEFAULT_PRADA_SETTINGS, { ids, maxTokens: 50, temperature: 1, seed: 7
 * })
 * ```
 */
export * from './core/index.ts'
export * from './endpoint/index.ts'
export * from './evaluate/index.ts'
export * from './models/index.ts'
export * from './remotes/index.ts'
export * from './server/index.ts'
export * from './session/index.ts'
