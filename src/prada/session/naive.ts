import { decide } from '../core/index.ts'
import { createTextLogits } from '../models/index.ts'
import { RemoteError } from '../remotes/remote.ts'
import type { PradaComponents } from './components.ts'
import { type PradaRequest, type PradaSettings, wirePrecision } from './options.ts'
import { createPositionScorings } from './positions.ts'

/**
 * Naive decoding: one trip and one whole row per token, without drafts. A session must produce exactly these tokens.
 *
 * @returns the tokens up to a stop token, `maxTokens` or the end of the context
 */
export async function naiveTokens(
  { proxy, remote, vocabularySize }: PradaComponents,
  { alpha, precision }: Pick<PradaSettings, 'alpha' | 'precision'>,
  request: PradaRequest
): Promise<number[]> {
  const signal = request.signal ?? new AbortController().signal
  const [adapted, base] = [createTextLogits(proxy.adapted), createTextLogits(proxy.base)]
  const scorings = createPositionScorings(request, alpha, vocabularySize)
  const context = Math.min(proxy.base.context, proxy.adapted.context, remote.capabilities.context)
  const end = Math.min(request.ids.length + request.maxTokens, context)
  const requested = wirePrecision(remote.capabilities, precision)
  const text = [...request.ids]
  const remoteText = await remote.start(vocabularySize, signal)
  try {
    while (text.length < end) {
      const [own] = await adapted.rowsAfter(text, text.length)
      const [plain] = await base.rowsAfter(text, text.length)
      const answer = remoteText.trip({ ids: text, positions: ['row'], topK: 1, precision: requested }, signal)
      const { value: record } = await answer.next()
      await answer.return(undefined)
      if (record?.kind !== 'row') throw new RemoteError('garbage', 'the remote did not answer with a row')
      const id = decide(record.row, scorings.of(text, own!, plain!))
      if (request.stopIds?.includes(id)) break
      text.push(id)
    }
  } finally {
    await remoteText.close()
  }
  return text.slice(request.ids.length)
}
