/**
 * The device drafts with its proxy, has the remote verify, and determines every token of the combined distribution.
 *
 * @example
 * ```ts
 * const components = pairProxy({ base, adapted }, vocabulary, remote)
 * const text = startPradaText(components, DEFAULT_PRADA_SETTINGS, { ids, maxTokens: 50, temperature: 1, seed: 7 })
 * for await (const { id, exact } of text.tokens) use(id)
 * ```
 */
export { type PradaComponents, type Proxy, pairProxy } from './components.ts'
export { naiveTokens } from './naive.ts'
export {
  chooseDrafter,
  DEFAULT_PRADA_SETTINGS,
  type DrafterName,
  NotExactError,
  type PradaRequest,
  type PradaSettings,
  type PradaToken,
  wirePrecision
} from './options.ts'
export { type PradaEnd, type PradaText, startPradaText } from './prada-text.ts'
export type { PradaStatistics } from './statistics.ts'
