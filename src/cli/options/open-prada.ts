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

/** Where a proxy comes from, in addition to `PradaFlags`. */
export interface ProxyFlags extends PradaFlags, Pick<ExecutorFlags, 'executor'> {
  model?: string
  adapter?: string
  context?: number
  chatTemplate?: string
}

/**
 * Opens the remote given by the flags: a URL, or the multiaddr of a member, dialled with the key of `--home`.
 *
 * @param files of the proxy
 * @throws {UsageError} when it is not an address
 * @throws {RemoteError} when it cannot be reached, or does not provide what is needed
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

/** The settings adapted to the remote's abilities, unless flags set them. */
export function settingsFor(
  settings: PradaSettings,
  { draft, told }: Pick<PradaFlags, 'draft' | 'told'>,
  { capabilities }: Remote
): PradaSettings {
  const { topK } = settings
  return {
    ...settings,
    ...(draft === undefined && { drafter: chooseDrafter(capabilities, settings) }),
    ...(told === undefined && typeof topK === 'number' && { topK: Math.min(topK, capabilities.topKMax) })
  }
}

/** A proxy with its files and name. */
export interface OpenProxy {
  readonly files: ModelFiles
  readonly models: ProxyModels
  readonly name: string
  /** For a home's proxy: checks for new seals. */
  readonly sealed: SealedProxy | undefined
}

/**
 * The proxy given by the flags: that of a home, or a model with an adapter.
 *
 * @throws {UsageError} when both are given
 */
export async function openProxyOf(flags: ProxyFlags): Promise<OpenProxy> {
  const { home: path, model, adapter } = flags
  if (path !== undefined) {
    if (adapter !== undefined)
      throw new UsageError("--home already provides the consortium's adapter: leave out --adapter or --home")
    const home = homeAt(path)
    const folder = homeModelFolder(home, model)
    requireBaseModel(folder)
    const sealed = await openSealedProxy(home, await filesOptions(flags, folder))
    return { files: sealed.files, models: sealed.models, name: sealed.consortium, sealed }
  }
  const { files, weights, name } = await openModelOf(flags)
  return { files, models: createProxy(files, weights), name, sealed: undefined }
}

/** A model's files, and its weights with the given adapter. */
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
 * Refuses flags that a proxy cannot use: its logits must have the same bits however tokens are batched.
 *
 * @throws {UsageError}
 */
export function requireOneThread({ threads, device }: ExecutorFlags & { readonly threads: number }): void {
  const reason = "the proxy's logits must be bit-reproducible, which only a single processor thread is"
  if (threads > 1) throw new UsageError(`--threads ${threads} does not go with --remote: ${reason}`)
  if (device !== undefined && device !== 'cpu' && device !== 'wasm')
    throw new UsageError(`--device ${device} does not go with --remote: ${reason}`)
}

/** Notes which settings of generation_config.json do not apply here. */
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

/** Disposes of both models of a proxy. */
export async function disposeModels({ base, adapted }: ProxyModels): Promise<void> {
  await base.dispose()
  await adapted.dispose()
}

/** Combines proxy and remote. @throws {VocabularyError} when their vocabularies differ */
export function componentsOf({ files, models }: OpenProxy, remote: Remote): PradaComponents {
  return pairProxy(models, files.vocabulary, remote)
}
