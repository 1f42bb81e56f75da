import type { Vocabulary } from '../core/index.ts'
import { type Remote, RemoteError } from '../remotes/remote.ts'
import {
  type PradaComponents,
  type PradaSettings,
  type PradaText,
  type PradaToken,
  pairProxy,
  startPradaText
} from '../session/index.ts'
import type { SourceDescription } from './local-source.ts'
import type { MadeToken, SourceText, TextEnd, TextRequest, TextSource } from './text-source.ts'

/** Options of a Prada source. */
export interface PradaSourceOptions {
  readonly components: PradaComponents
  /** The proxy's tokenizer. */
  readonly vocabulary: Vocabulary
  readonly settings: PradaSettings
  readonly description: SourceDescription
  /** Reconnects to a remote whose model has changed. A failure ends the text, not the source. */
  readonly reconnect?: (signal: AbortSignal) => Promise<Remote>
  /** Frees the proxy's models; called when no text is running. */
  readonly dispose: () => Promise<void>
}

/**
 * The combined distribution of a proxy and a remote. If log-probabilities are requested and the remote serves whole
 * rows, it asks for whole rows, since bounds are not log-probabilities.
 */
export function createPradaSource(options: PradaSourceOptions): TextSource {
  const { settings, description, reconnect } = options
  const { stopIds, ...rest } = description
  const { proxy } = options.components
  let components = options.components
  let isStale = false

  const upToDate = async (signal: AbortSignal): Promise<PradaComponents> => {
    if (!isStale || reconnect === undefined) return components
    components = pairProxy(proxy, options.vocabulary, await reconnect(signal), components.now)
    isStale = false
    return components
  }

  async function* tokensOf(
    request: TextRequest,
    onStart: (text: PradaText) => void
  ): AsyncGenerator<MadeToken, TextEnd> {
    let text: PradaText | undefined
    try {
      const current = await upToDate(request.signal)
      text = startPradaText(current, settingsFor(settings, current.remote, request), {
        ...request,
        stopIds,
        logProbabilities: request.alternatives !== undefined
      })
      onStart(text)
      for (;;) {
        const next = await text.tokens.next()
        if (next.done) return next.value
        yield madeToken(next.value)
      }
    } catch (error) {
      if (error instanceof RemoteError && error.fault === 'changed') isStale = true
      throw error
    } finally {
      await text?.tokens.return('stop')
    }
  }

  return {
    ...rest,
    get context() {
      return Math.min(proxy.base.context, proxy.adapted.context, components.remote.capabilities.context)
    },
    get traffic() {
      return components.remote.traffic
    },
    start(request): SourceText {
      let text: PradaText | undefined
      const tokens = tokensOf(request, (started) => {
        text = started
      })
      return {
        tokens,
        get statistics() {
          return text?.statistics
        }
      } as SourceText
    },
    dispose: options.dispose
  }
}

function settingsFor(settings: PradaSettings, { capabilities }: Remote, request: TextRequest): PradaSettings {
  if (request.alternatives === undefined || !capabilities.rows) return settings
  return { ...settings, topK: 'rows' }
}

function madeToken({ id, exact, logProbability, mostLikely }: PradaToken): MadeToken {
  // Only a whole row yields an interval of width 0.
  const known = logProbability !== undefined && logProbability.low === logProbability.high
  return {
    id,
    exact,
    ...(known && { logProbability: logProbability.low }),
    ...(mostLikely !== undefined && { mostLikely })
  }
}
