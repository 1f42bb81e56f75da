import { basename } from 'node:path'
import type { TensorMap } from '../../formats/index.ts'
import type { GenerationDefaults } from '../../model/index.ts'
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
import {
  type DisposableTransport,
  type OpenedRemote,
  openRemote,
  type PradaComponents,
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

/** A remote and how to come back to it. */
export interface OpenRemote {
  readonly remote: Remote
  /** Lets go of it, and asks anew what is there. */
  reconnect(signal: AbortSignal): Promise<Remote>
  dispose(): void
}

/**
 * Opens the remote that the flags name: a logits server, a server of OpenAI's API, or a member of the home's consortium.
 *
 * @throws {RemoteError} when it cannot be reached, or is none of them
 */
export async function openRemoteOf(flags: PradaFlags, { files }: OpenProxy): Promise<OpenRemote> {
  const { remote: url, remoteKey, remoteModel, home } = flags
  const apiKey = remoteKey ?? process.env.LOAM_REMOTE_KEY
  const open = (signal?: AbortSignal): Promise<OpenedRemote> =>
    openRemote(url!, {
      vocabulary: files.vocabulary,
      encode: (text) => files.tokenizer.encode(text),
      ...(apiKey !== undefined && { apiKey }),
      ...(remoteModel !== undefined && { model: remoteModel }),
      ...(home !== undefined && { dialMember: (address: string) => dialFrom(home, address) }),
      ...(signal !== undefined && { signal })
    })
  let opened = await open()
  return {
    remote: opened.remote,
    async reconnect(signal) {
      // Another connection of this home to a member must not stand beside it.
      opened.dispose()
      opened = await open(signal)
      return opened.remote
    },
    dispose: () => opened.dispose()
  }
}

/** A member's logits server, reached from a home. */
async function dialFrom(path: string, address: string): Promise<DisposableTransport> {
  const { effectiveSettings } = await import('../../node/config/index.ts')
  const { createLogs, ROTATION_DEFAULTS } = await import('../../node/log/logs.ts')
  const { dialMember } = await import('../../node/services/dial-member.ts')
  const home = homeAt(path)
  const { config } = await effectiveSettings(home)
  const logs = createLogs({
    path: home.log,
    levels: { level: 'warn', topics: new Map() },
    toStandardError: false,
    ...ROTATION_DEFAULTS
  })
  return dialMember({ home, network: config.network, logs }, address)
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
  const weights = files.adapted(await readAdapterPath(adapter))
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
export function noteUnused({
  unused,
  repetitionPenalty = 1,
  suppressIds = [],
  beginSuppressIds = []
}: GenerationDefaults): void {
  if (unused !== undefined) printProgress(unused)
  const others = [
    ...(repetitionPenalty === 1 ? [] : ['repetition_penalty']),
    ...(suppressIds.length === 0 ? [] : ['suppress_tokens']),
    ...(beginSuppressIds.length === 0 ? [] : ['begin_suppress_tokens'])
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
