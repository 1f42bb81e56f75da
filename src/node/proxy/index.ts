/**
 * A proxy for Prada: a base model and the same model with an adapter, from a home's sealed rounds or from files.
 *
 * @example
 * ```ts
 * const proxy = await openSealedProxy({ home: homeAt('/srv/loam'), folder: 'models/base' })
 * const components = pairProxy(proxy.models, proxy.vocabulary, remote)
 * const next = await proxy.lookForSeal() // a new adapted model, where a round was sealed since
 * ```
 */
export { loadModelFiles, type ModelFiles, type ModelFilesOptions } from './model-files.ts'
export { createProxy, openSealedProxy, type ProxyModels, type SealedProxy } from './proxy.ts'
