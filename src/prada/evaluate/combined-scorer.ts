import { logitsOffset, rowLogProbabilities } from '../core/index.ts'
import { RemoteError, type RemoteText } from '../remotes/remote.ts'
import type { PradaComponents } from '../session/components.ts'
import type { PradaSettings } from '../session/options.ts'

/** Tokens scored per trip. */
const TRIP_TOKENS = 32

/** Scores token sequences under the combined distribution at temperature 1. */
export interface CombinedScorer {
  /** Maximum number of tokens read; a sequence may have one more. */
  readonly context: number
  /**
   * Sends the whole sequence to the remote.
   *
   * @returns the log-probabilities of the second to the last token, nats
   * @throws {RemoteError}
   */
  score(ids: readonly number[], signal: AbortSignal): Promise<Float64Array>
}

/**
 * A scorer that uses whole rows: a log-probability needs the sum over all ids, and a partial row only bounds it.
 *
 * @throws {Error} if the remote does not serve whole rows
 */
export function createCombinedScorer(
  components: PradaComponents,
  { alpha, precision }: Pick<PradaSettings, 'alpha' | 'precision'>
): CombinedScorer {
  const { proxy, remote, vocabularySize: size } = components
  if (!remote.capabilities.rows)
    throw new Error(
      `${remote.name} does not serve whole rows, without which log-probabilities are only known within bounds: ` +
        'ask its operator to enable rows'
    )
  const context = Math.min(proxy.base.context, proxy.adapted.context, remote.capabilities.context)

  async function* remoteRows(
    text: RemoteText,
    ids: readonly number[],
    count: number,
    signal: AbortSignal
  ): AsyncGenerator<Float32Array> {
    const positions = Array.from({ length: count }, () => 'row' as const)
    for await (const record of text.trip({ ids, positions, topK: 1, precision }, signal)) {
      if (record.kind !== 'row') throw new RemoteError('garbage', 'the remote did not answer with a row')
      yield record.row
    }
  }

  return {
    context,
    async score(ids, signal) {
      // The last token is only scored.
      if (ids.length - 1 > context)
        throw new RangeError(`a sequence of ${ids.length} tokens is longer than the context of ${context}`)
      const scores = new Float64Array(Math.max(0, ids.length - 1))
      const [adapted, base] = [proxy.adapted.start(), proxy.base.start()]
      const text = await remote.start(size, signal)
      try {
        for (let from = 0; from < scores.length; from += TRIP_TOKENS) {
          const to = Math.min(from + TRIP_TOKENS, scores.length)
          const part = ids.slice(from, to)
          const own = await Promise.all([
            adapted.appendRows(part, part.length),
            base.appendRows(part, part.length)
          ])
          let place = from
          for await (const row of remoteRows(text, ids.slice(0, to), part.length, signal)) {
            const offset = logitsOffset(own[0][place - from]!, own[1][place - from]!, alpha, size)
            scores[place] = rowLogProbabilities(row, { offset })[ids[place + 1]!]!
            place++
          }
          if (place !== to)
            throw new RemoteError('garbage', `the remote returned ${place - from} of ${to - from} rows`)
        }
      } finally {
        await text.close()
      }
      return scores
    }
  }
}
