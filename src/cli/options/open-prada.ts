import { basename } from 'node:path'
import type { TensorMap } from '../../formats/index.ts'
import type { GenerationDefaults } from '../../model/index.ts'
import { loadPeerConfig } from '../../node/config/index.ts'
import { homeAt } from '../../node/home/home.ts'
import {
  createProxy,
  loadModelFiles,
  type ModelFiles,
  type ModelFilesOptions,
  openSealedProxy,
  type ProxyModels,
  type SealedProxy
} from '../../node/proxy/index.ts'
import { dialMember } from '../../node/services/dial-member.ts'
import {
  chooseDrafter,
  type OpenedRemote,
  openRemote,
  type PradaComponents,
  type PradaSettings,
  pairProxy,
  type Remote
} from '../../prada/index.ts'
import { printProgress } from '../terminal/output.ts'
import { UsageError } from '../terminal/usage-error.ts'
import { readAdapterPath } from './adapter-path.ts'
import { type ExecutorFlags, executorFromFlags } from './executor-options.ts'
import type { PradaFlags } from './prada-options.ts'
import { baseModelFolder, homeModelFolder, requireBaseModel } from './shipped-model.ts'

/** Where a proxy comes from, beside what `PradaFlags` says. */
export interface ProxyFlags extends PradaFlags, Pick<ExecutorFlags, 'executor'> {
  model?: string
  adapter?: string
  context?: number
  chatTemplate?: string
}

/**
 * Opens the remote that the flags name: by its URL, or a member by its multiaddr, dialled with the key of `--home`.
 *
 * @param files of the proxy
 * @throws {UsageError} when it is no address
 * @throws {RemoteError} when it cannot be reached, or does not tell what is needed
 */
export async function openRemoteOf(
  { remote: url, remoteKey, remoteModel, home: path }: PradaFlags,
  { vocabulary, tokenizer }: ModelFiles
): Promise<OpenedRemote> {
  const apiKey = remoteKey ?? process.env.LOAM_REMOTE_KEY
  if (!/^(?:https?:\/\/|\/)/.test(url!))
    throw new UsageError(
      `--remote ${url} is not an address: give http://HOST:PORT, or a multiaddr that ends in /p2p/PEERID`
    )
  return openRemote(url!, {
    vocabulary,
    encode: (text) => tokenizer.encode(text),
    ...(apiKey !== undefined && { apiKey }),
    ...(remoteModel !== undefined && { model: remoteModel }),
    ...(path !== undefined && {
      dialMember: async (address: string) => {
        const home = homeAt(path)
        const { network } = await loadPeerConfig(home)
        return dialMember({ home, network, log: QUIET }, address)
      }
    })
  })
}

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** The settings with what the remote can do, where the flags do not say otherwise. */
export function settingsFor(
  settings: PradaSettings,
  { draft, told }: Pick<PradaFlags, 'draft' | 'told'>,
  { capabilities }: Remote
): PradaSettings {
  const { topK } = settings
  return {
    ...settings,
    ...(draft === undefined && { drafter: chooseDrafter(capabilities) }),
    ...(told === undefined && topK !== 'rows' && { topK: Math.min(topK, capabilities.topKMax) })
  }
}

/** A proxy with its files, and what it is called. */
export interface OpenProxy {
  readonly files: ModelFiles
  readonly models: ProxyModels
  readonly name: string
  /** Of a home: looks for new seals. */
  readonly sealed: SealedProxy | undefined
}

/**
 * The proxy that the flags name: a home's, or a model's with an adapter.
 *
 * @throws {UsageError} when the flags name both
 */
export async function openProxyOf(flags: ProxyFlags): Promise<OpenProxy> {
  const { home: path, model, adapter } = flags
  if (path !== undefined) {
    if (adapter !== undefined)
      throw new UsageError("--home brings the consortium's adapter: leave out --adapter, or --home")
    const home = homeAt(path)
    const folder = homeModelFolder(home, model)
    requireBaseModel(folder)
    const sealed = await openSealedProxy(home, await filesOptions(flags, folder))
    return { files: sealed.files, models: sealed.models, name: sealed.consortium, sealed }
  }
  const { files, weights, name } = await openModelOf(flags)
  return { files, models: createProxy(files, weights), name, sealed: undefined }
}

/** A model's files, and its weights with the adapter that the flags name. */
export async function openModelOf(flags: ProxyFlags): Promise<{
  readonly files: ModelFiles
  readonly weights: TensorMap
  readonly name: string
}> {
  const { adapter } = flags
  const folder = baseModelFolder(flags.model)
  requireBaseModel(folder)
  const files = loadModelFiles(await filesOptions(flags, folder))
  const name = basename(folder)
  if (adapter === undefined) return { files, weights: files.weights, name }
  const weights = files.adapted(await readAdapterPath(adapter, folder))
  return { files, weights, name: `${name}+${basename(adapter)}` }
}

async function filesOptions(
  { context, chatTemplate, executor }: ProxyFlags,
  folder: string
): Promise<ModelFilesOptions> {
  return {
    folder,
    context,
    chatTemplate,
    executor: await executorFromFlags({ ...(executor && { executor }) })
  }
}

/**
 * Refuses what a proxy cannot compute with: its logits must have the same bits whichever tokens come together.
 *
 * @throws {UsageError}
 */
export function requireOneThread({ threads, device }: ExecutorFlags & { readonly threads: number }): void {
  const reason = "the proxy's logits must repeat bit by bit, which only one thread of the processor does"
  if (threads > 1) throw new UsageError(`--threads ${threads} does not go with --remote: ${reason}`)
  if (device !== undefined && device !== 'cpu' && device !== 'wasm')
    throw new UsageError(`--device ${device} does not go with --remote: ${reason}`)
}

/** Says which of the makers' settings for generating do not hold here. */
export function noteUnused(made: GenerationDefaults): void {
  if (made.unused !== undefined) printProgress(made.unused)
  const others = [
    ...((made.repetitionPenalty ?? 1) === 1 ? [] : ['repetition_penalty']),
    ...(made.noRepeatNgramSize === undefined ? [] : ['no_repeat_ngram_size']),
    ...(made.badWordsIds === undefined ? [] : ['bad_words_ids']),
    ...(made.minTokens === undefined ? [] : ['min_new_tokens']),
    ...(made.minLength === undefined ? [] : ['min_length']),
    ...(made.suppressIds === undefined ? [] : ['suppress_tokens']),
    ...(made.beginSuppressIds === undefined ? [] : ['begin_suppress_tokens'])
  ]
  if (others.length > 0) printProgress(`generation_config.json: not used here: ${others.join(', ')}`)
}

/** Frees both models of a proxy. */
export async function disposeModels({ base, adapted }: ProxyModels): Promise<void> {
  await base.dispose()
  await adapted.dispose()
}

/** Proxy and remote together. @throws {VocabularyError} when their ids do not mean the same */
export function componentsOf({ files, models }: OpenProxy, remote: Remote): PradaComponents {
  return pairProxy(models, files.vocabulary, remote)
}
