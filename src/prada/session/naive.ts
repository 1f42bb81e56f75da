import { decide } from '../core/index.ts'
import { createTextLogits } from '../models/index.ts'
import { RemoteError } from '../remotes/remote.ts'
import type { PradaComponents } from './components.ts'
import { linePrecision, type PradaRequest, type PradaSettings } from './options.ts'
import { createPositionScorings } from './positions.ts'

/**
 * The naive way: one trip and one whole row a token, no drafts. What the session gives must be this, token by token.
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
  const told = linePrecision(remote.capabilities, precision)
  const text = [...request.ids]
  const remoteText = await remote.start(vocabularySize, signal)
  try {
    while (text.length < end) {
      const [own] = await adapted.behind(text, text.length)
      const [plain] = await base.behind(text, text.length)
      const answer = remoteText.trip({ ids: text, positions: ['row'], topK: 1, precision: told }, signal)
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
