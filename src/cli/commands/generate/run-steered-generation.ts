import { randomInt } from 'node:crypto'
import { chooseSampling, type GenerationDefaults, madeMaxTokens } from '../../../model/index.ts'
import {
  createPradaSource,
  DEFAULT_PRADA_SETTINGS,
  type DrawSettings,
  type PradaSettings,
  type SourceText,
  textPieces
} from '../../../prada/index.ts'
import {
  componentsOf,
  disposeModels,
  noteUnused,
  type OpenProxy,
  openProxyOf,
  openRemoteOf,
  requireOneThread,
  settingsFor
} from '../../options/open-prada.ts'
import { pradaSettings } from '../../options/prada-options.ts'
import { printResult, printText } from '../../terminal/output.ts'
import { UsageError } from '../../terminal/usage-error.ts'
import type { GenerateFlags } from './generate.ts'
import { DEFAULT_MAX_TOKENS, promptIds } from './run-generation.ts'

/** Generates text from a remote steered by a proxy, and prints it as it is generated. */
export async function runSteeredGeneration(flags: GenerateFlags): Promise<void> {
  requireOneThread(flags)
  if (flags.system !== undefined && flags.chat !== true) throw new UsageError('--system needs --chat')
  const stopping = new AbortController()
  const stop = (): void => stopping.abort(new Error('stopped'))
  process.once('SIGINT', stop)
  const told = flags.remoteTopK
  const draftFlags = { ...flags, ...(told !== undefined && { told }) }
  const settings = pradaSettings(draftFlags, DEFAULT_PRADA_SETTINGS)
  const proxy = await openProxyOf(flags)
  const { remote, dispose } = await openRemoteOf(flags, proxy.files)
  try {
    await generate(flags, proxy, settingsFor(settings, draftFlags, remote), remote, stopping.signal)
  } finally {
    process.off('SIGINT', stop)
    dispose()
    await disposeModels(proxy.models)
  }
}

async function generate(
  flags: GenerateFlags,
  proxy: OpenProxy,
  settings: PradaSettings,
  remote: Parameters<typeof componentsOf>[1],
  signal: AbortSignal
): Promise<void> {
  const { files } = proxy
  const { tokenizer, generation } = files
  const ids = await promptIds(flags, files.folder, tokenizer)
  const sampling = steeredSampling(flags, generation)
  const seed = flags.seed ?? randomInt(2 ** 32)
  const source = createPradaSource({
    components: componentsOf(proxy, remote),
    vocabulary: files.vocabulary,
    settings,
    description: {
      name: remote.name,
      fingerprint: '',
      tokenizer,
      tokens: files.vocabulary.tokens,
      renderChat: files.renderChat,
      stopIds: generation.stopIds
    },
    dispose: async () => undefined
  })
  const maxTokens = flags.maxTokens ?? madeMaxTokens(generation, ids.length) ?? DEFAULT_MAX_TOKENS
  const started = performance.now()
  const text = source.start({ ids, maxTokens, seed, stream: 0, ...sampling, signal })
  const pieces = textPieces(text.tokens, {
    tokenizer,
    before: ids,
    stop: [...(flags.stop ?? []), ...(generation.stop ?? [])]
  })
  let whole = ''
  for (;;) {
    const { done, value } = await pieces.next()
    if (!done) {
      whole += value.text
      if (flags.json !== true) printText(value.text)
      continue
    }
    const seconds = (performance.now() - started) / 1_000
    const { reason, tokens, inexact } = value
    const result = {
      text: whole,
      tokens,
      promptTokens: ids.length,
      finishReason: reason,
      seed,
      tokensPerSecond: Number((tokens / seconds).toFixed(1)),
      exact: inexact === 0,
      ...lineCosts(text)
    }
    // The text is already printed, except for the final line feed.
    printResult(result, flags, () => '')
    return
  }
}

/** The flags, or generation_config.json for those not given; notes which of its settings do not apply here. */
function steeredSampling(flags: GenerateFlags, generation: GenerationDefaults): DrawSettings {
  const { temperature, topK, topP, minP } = chooseSampling(flags, generation)
  noteUnused(generation)
  return {
    temperature,
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(minP !== undefined && { minP })
  }
}

/** Bytes per token on the wire, in both directions. */
function lineCosts({ statistics }: SourceText): { tokensPerTrip: number; bytesPerToken: number } | undefined {
  if (statistics === undefined || statistics.tokens === 0) return undefined
  const { tokens, trips, bytesSent, bytesReceived } = statistics
  return {
    tokensPerTrip: Number((tokens / trips).toFixed(2)),
    bytesPerToken: Math.round((bytesSent + bytesReceived) / tokens)
  }
}
