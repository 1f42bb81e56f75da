import { decodeVerifyRequest, type PositionRequest, type VerifyRequest, WireError } from '../wire/index.ts'
import type { LogitsLimits } from './limits.ts'
import { ServiceError } from './service-error.ts'
import type { Session } from './sessions.ts'

/**
 * Reads a request for a session.
 *
 * @param context longest text of the model, tokens
 * @throws {ServiceError} when it is malformed, or asks for what this server does not tell
 */
export function readRequest(
  bytes: Uint8Array,
  session: Session,
  limits: LogitsLimits,
  context: number
): VerifyRequest {
  const request = asMalformed(() =>
    decodeVerifyRequest(bytes, { vocabularySize: session.vocabularySize, tokens: limits.tokensPerRequest })
  )
  checkRequest(request, session, limits, context)
  return request
}

function checkRequest(
  request: VerifyRequest,
  { text }: Session,
  limits: LogitsLimits,
  context: number
): void {
  const { truncateAt, ids, topK, positions, draft } = request
  if (truncateAt > text.length)
    throw new ServiceError(
      'unknown-session',
      `the session has ${text.length} tokens, not ${truncateAt}: open another`
    )
  const ranked = Math.max(
    topK,
    request.firstTopK ?? 0,
    request.noise?.drawn ?? 0,
    request.noise?.reach?.most ?? 0
  )
  if (ranked > limits.topKMax)
    throw new ServiceError('refused', `at most the top ${limits.topKMax} are told, not ${ranked}`)
  const asked: readonly PositionRequest[] = draft?.rows ? [...positions, 'row'] : positions
  for (const position of asked) {
    if (position === 'row' && !limits.rows) throw new ServiceError('refused', 'whole rows are not told here')
    if (position !== 'row' && position.length > limits.wantedMax)
      throw new ServiceError('refused', `at most ${limits.wantedMax} ids of a position are told by number`)
  }
  const length = truncateAt + ids.length + (draft?.count ?? 0)
  if (length > context)
    throw new ServiceError('refused', `a text of ${length} tokens is longer than the context of ${context}`)
}

/** @throws {ServiceError} `malformed`, for malformed bytes */
export function asMalformed<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof WireError) throw new ServiceError('malformed', error.message)
    throw error
  }
}
