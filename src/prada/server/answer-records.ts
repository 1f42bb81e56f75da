import {
  decide,
  gumbelNoise,
  partialRow,
  type RemoteRow,
  reachedRanks,
  remoteRow,
  type SharedDraw
} from '../core/index.ts'
import type { PositionRecord, VerifyRequest } from '../wire/index.ts'
import type { Session } from './sessions.ts'

/** Runs what the model computes when its turn comes. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>

/**
 * Computes what a request asks for: one pass for all of its positions, and one more for every draft.
 *
 * @throws {Error} when the model gives no numbers
 */
export async function* answerRecords(
  request: VerifyRequest,
  session: Session,
  inTurn: InTurn,
  signal: AbortSignal
): AsyncGenerator<PositionRecord, void> {
  const { ids, positions, draft, precision } = request
  const { text, vocabularySize: size } = session
  let length = request.truncateAt + ids.length
  const logits = await inTurn(() => {
    text.truncate(request.truncateAt)
    return text.appendRows(ids, positions.length)
  })
  const drafts = draft?.count ?? 0
  for (let index = 0; index < positions.length + drafts; index++) {
    signal.throwIfAborted()
    const asked = positions[index] ?? (draft?.rows ? 'row' : [])
    const row = remoteRow(logits[index]!, size, precision)
    const draw = drawOf(request, request.truncateAt + ids.length - positions.length + 1 + index)
    const body: PositionRecord =
      asked === 'row' ? { kind: 'row', row } : partOf(row, request, index, asked, draw)
    const drafting =
      draft !== undefined && index >= positions.length - 1 && index < positions.length - 1 + drafts
    if (!drafting) {
      yield body
      continue
    }
    const id = draftFrom(row, draft, length)
    length++
    const next = inTurn(() => text.appendRows([id], 1))
    next.catch(() => undefined)
    yield { ...body, draft: id }
    logits.push(...(await next))
  }
}

function partOf(
  row: RemoteRow,
  request: VerifyRequest,
  index: number,
  wanted: readonly number[],
  draw: SharedDraw | undefined
): PositionRecord {
  const { topK, skip } = ranksAt(request, index)
  const { reach } = request.noise ?? {}
  const asked = { skip, wanted, ...(draw && { draw }) }
  const first = index === 0 && request.firstTopK !== undefined
  if (reach === undefined || draw === undefined || first)
    return { kind: 'part', part: partialRow(row, { ...asked, topK }) }
  const ranks = Math.min(row.length, reachedRanks(row, topK, draw, reach))
  return { kind: 'part', part: partialRow(row, { ...asked, topK: ranks }), ranks }
}

/** The remote's own token with the device's noise. */
function draftFrom(
  row: RemoteRow,
  { settings, seed, stream }: NonNullable<VerifyRequest['draft']>,
  position: number
): number {
  return decide(row, {
    settings,
    offset: new Float64Array(row.length),
    noise: gumbelNoise(seed, position, stream)
  })
}

/** Ids that a record tells by rank, and those of them that it leaves out. */
export function ranksAt(
  { topK, firstTopK, firstSkip = 0 }: VerifyRequest,
  index: number
): { readonly topK: number; readonly skip: number } {
  if (index > 0 || firstTopK === undefined) return { topK, skip: 0 }
  return { topK: firstTopK, skip: firstSkip }
}

/** What the device's noise lets the remote say of a position. */
function drawOf({ noise }: VerifyRequest, position: number): SharedDraw | undefined {
  if (noise === undefined) return undefined
  const { seed, stream, temperature, drawn } = noise
  return { count: drawn, temperature, noise: gumbelNoise(seed, position, stream) }
}
