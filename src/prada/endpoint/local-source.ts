import { decide, mostLikelyIds, remoteRow, rowLogProbabilities } from '../core/index.ts'
import type { TokenModel } from '../models/index.ts'
import { createPositionScorings } from '../session/positions.ts'
import type { MadeToken, TextEnd, TextRequest, TextSource } from './text-source.ts'

/** What a source reports to clients, and how its texts begin and end. */
export type SourceDescription = Pick<
  TextSource,
  'name' | 'fingerprint' | 'tokenizer' | 'tokens' | 'renderChat' | 'stop'
> & {
  /** Tokens that end a text. */
  readonly stopIds: readonly number[]
}

/**
 * A model on this machine. Its tokens are sampled by Prada's rule with Prada's noise. A seed therefore yields the text
 * that a Prada session with strength 0 would produce with the same model as the remote, apart from the rounding of sent
 * values.
 */
export function createLocalSource(model: TokenModel, description: SourceDescription): TextSource {
  const { stopIds, ...rest } = description
  const size = Math.min(rest.tokens.length, model.vocabularySize)
  return {
    ...rest,
    context: model.context,
    tokensAtOnce: 1,
    start: (request) => ({ tokens: localTokens(model, size, stopIds, request) }),
    dispose: () => model.dispose()
  }
}

async function* localTokens(
  model: TokenModel,
  size: number,
  stopIds: readonly number[],
  request: TextRequest
): AsyncGenerator<MadeToken, TextEnd> {
  const scorings = createPositionScorings(request, 0, size)
  const text = model.start()
  const ids = [...request.ids]
  const end = Math.min(ids.length + request.maxTokens, model.context)
  let added: readonly number[] = ids
  while (ids.length < end) {
    request.signal.throwIfAborted()
    const [logits] = await text.appendRows(added, 1)
    const row = remoteRow(logits!, size, 'float32')
    const scoring = scorings.ofDraft(ids)
    const id = decide(row, scoring)
    if (stopIds.includes(id)) return 'stop'
    ids.push(id)
    added = [id]
    if (request.alternatives === undefined) yield { id, exact: true }
    else {
      const all = rowLogProbabilities(row, scoring)
      yield {
        id,
        exact: true,
        logProbability: all[id]!,
        mostLikely: mostLikelyIds(all, request.alternatives)
      }
    }
  }
  return 'length'
}
