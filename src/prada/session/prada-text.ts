import {
  createDraftLength,
  DRAFTS_MAX,
  type DraftLength,
  type RankCount,
  type Scoring
} from '../core/index.ts'
import { createTextLogits, type TextLogits } from '../models/index.ts'
import { RemoteError, type RemoteText, type TripRequest } from '../remotes/remote.ts'
import type { PositionRecord } from '../wire/index.ts'
import type { PradaComponents } from './components.ts'
import { createDrafter, type Drafter } from './drafter.ts'
import {
  NotExactError,
  type PradaRequest,
  type PradaSettings,
  type PradaToken,
  wirePrecision
} from './options.ts'
import { joined, type Knowledge, nearTie, probabilitiesOf, verdictOf } from './position-knowledge.ts'
import { createPositionScorings, type PositionScorings } from './positions.ts'
import { createStatistics, type PradaStatistics, type StatisticsCounter } from './statistics.ts'
import {
  askFurther,
  type OpenQuestion,
  type PreparedPosition,
  positionRequest,
  rankCountFor,
  rankCounts,
  remoteDraftTrip
} from './trip.ts'

/** Why a text ended: at a stop token, or at the maximum length. */
export type PradaEnd = 'stop' | 'length'

/** A text in generation. */
export interface PradaText {
  /** Tokens as they are settled. Leaving the loop early frees the remote's resources. */
  readonly tokens: AsyncGenerator<PradaToken, PradaEnd>
  readonly statistics: PradaStatistics
}

/**
 * Continues a text with tokens of the combined distribution. The tokens depend only on the request, the models and
 * `alpha`, not on the drafter, the draft length, top k or the connection.
 *
 * @throws {Error} if the settings require something that the remote does not support
 */
export function startPradaText(
  components: PradaComponents,
  settings: PradaSettings,
  request: PradaRequest
): PradaText {
  requirePossible(components, settings, request)
  const counter = createStatistics()
  let remoteText: RemoteText | undefined
  return {
    tokens: continueText(components, settings, request, counter, (started) => {
      remoteText = started
    }),
    get statistics() {
      const { sent, received, content = sent + received } = remoteText?.traffic ?? { sent: 0, received: 0 }
      return { ...counter, bytesSent: sent, bytesReceived: received, contentBytes: content }
    }
  }
}

function requirePossible(
  { proxy, remote }: PradaComponents,
  settings: PradaSettings,
  request: PradaRequest
): void {
  const { capabilities, name } = remote
  if (request.ids.length === 0) throw new Error('a text needs at least one token to start from')
  if (settings.drafter === 'remote' && !capabilities.drafts)
    throw new Error(`${name} does not draft: set the drafter to adapted or base`)
  if (settings.drafter !== 'remote' && !capabilities.judgesDrafts && settings.draftLength !== 0)
    throw new Error(`${name} does not judge the device's drafts: set the drafter to remote`)
  if (settings.topK === 'rows' && !capabilities.rows)
    throw new Error(`${name} does not serve whole rows: set a top k`)
  if (typeof settings.topK === 'number' && settings.topK > capabilities.topKMax)
    throw new Error(`${name} reports at most the top ${capabilities.topKMax}, got ${settings.topK}`)
  const context = Math.min(proxy.base.context, proxy.adapted.context, capabilities.context)
  if (request.ids.length >= context)
    throw new Error(
      `the prompt's ${request.ids.length} tokens leave no room in the context of ${context} tokens: shorten it`
    )
}

async function* continueText(
  components: PradaComponents,
  settings: PradaSettings,
  request: PradaRequest,
  counter: StatisticsCounter,
  onStart: (text: RemoteText) => void
): AsyncGenerator<PradaToken, PradaEnd> {
  const signal = request.signal ?? new AbortController().signal
  signal.throwIfAborted()
  const remoteText = await components.remote.start(components.vocabularySize, signal)
  onStart(remoteText)
  const loop = new TripLoop(components, settings, request, counter, remoteText)
  try {
    while (loop.left > 0) {
      for await (const token of loop.trip(signal)) {
        if (request.stopIds?.includes(token.id)) return 'stop'
        counter.tokens++
        yield token
      }
    }
    return 'length'
  } finally {
    await loop.settled()
    await remoteText.close()
  }
}

/** A trip and what is known about its positions in advance. */
interface PreparedTrip {
  /** Drafts of the device; those of the remote follow. */
  readonly drafts: readonly number[]
  readonly trip: TripRequest
  /** The position after the text, and those after the device's drafts; empty if the trip did not wait for them. */
  readonly positions: readonly PreparedPosition[]
}

/** The trips of one text and the state between them. */
class TripLoop {
  readonly #components: PradaComponents
  readonly #settings: PradaSettings
  readonly #request: PradaRequest
  readonly #counter: StatisticsCounter
  readonly #remoteText: RemoteText
  readonly #logits: { readonly adapted: TextLogits; readonly base: TextLogits }
  readonly #scorings: PositionScorings
  readonly #drafter: Drafter | undefined
  readonly #length: DraftLength
  readonly #ranks: RankCount
  readonly #text: number[]
  readonly #end: number
  #question: OpenQuestion | undefined
  /** What earlier answers reported about the open position. */
  #knowledge: Knowledge | undefined
  /** Drafting that runs while an answer is pending. */
  #ahead: Promise<unknown> = Promise.resolve()

  constructor(
    components: PradaComponents,
    settings: PradaSettings,
    request: PradaRequest,
    counter: StatisticsCounter,
    remoteText: RemoteText
  ) {
    const { proxy, remote, vocabularySize } = components
    this.#components = components
    this.#settings = settings
    this.#request = request
    this.#counter = counter
    this.#remoteText = remoteText
    this.#logits = { adapted: createTextLogits(proxy.adapted), base: createTextLogits(proxy.base) }
    this.#scorings = createPositionScorings(request, settings.alpha, vocabularySize)
    if (settings.drafter !== 'remote')
      this.#drafter = createDrafter(this.#logits[settings.drafter], this.#scorings, vocabularySize)
    const most = Math.min(DRAFTS_MAX, remote.capabilities.draftsMax)
    this.#length = createDraftLength(most, { streamed: settings.drafter === 'remote' })
    this.#ranks = rankCountFor(settings, request, remote.capabilities)
    this.#text = [...request.ids]
    const context = Math.min(proxy.base.context, proxy.adapted.context, remote.capabilities.context)
    this.#end = Math.min(request.ids.length + request.maxTokens, context)
  }

  /** Number of tokens that still fit. */
  get left(): number {
    return this.#end - this.#text.length
  }

  /** Waits for pending computations. */
  async settled(): Promise<void> {
    await this.#ahead.catch(() => undefined)
  }

  /** One trip. Yields the tokens that its answer settles, or none if the first position stays open. */
  async *trip(signal: AbortSignal): AsyncGenerator<PradaToken, void> {
    const { now } = this.#components
    const begun = now()
    const prepared = await this.#prepare(signal)
    const sent = now()
    const stop = new AbortController()
    const answer = this.#remoteText.trip(prepared.trip, signal)
    this.#counter.trips++
    if (this.#question !== undefined) this.#counter.extraTrips++
    let judged = 0
    let accepted = 0
    let open = false
    try {
      const first = answer.next()
      first.catch(() => undefined)
      this.#draftAhead(prepared, AbortSignal.any([signal, stop.signal]))
      const drafts = [...prepared.drafts]
      let position = this.#positionOf(prepared, drafts, 0)
      for (let next = await first; !next.done; next = await answer.next()) {
        if (next.value.draft !== undefined) drafts.push(next.value.draft)
        const here = await position
        const draft = drafts[judged]
        // Computed while the remote continues, in case the draft is the token.
        if (draft !== undefined && this.left > 1) position = this.#positionOf(prepared, drafts, judged + 1)
        const token = this.#settle(next.value, here, this.#ranksAt(prepared.trip, next.value, judged))
        open = token === undefined
        if (token === undefined) break
        judged++
        this.#text.push(token.id)
        if (token.id === draft) accepted++
        yield token
        if (token.id !== draft || this.left === 0) break
      }
      if (judged === 0 && !open) throw new RemoteError('garbage', "the remote's answer has no records")
    } finally {
      stop.abort()
      await answer.return(undefined)
      if (this.#drafter !== undefined) await this.settled()
      const sentDrafts = prepared.drafts.length + (prepared.trip.draft?.count ?? 0)
      this.#counter.judged += Math.min(judged, sentDrafts)
      this.#counter.accepted += accepted
      this.#length.learn({
        // An open position ends a trip, like a rejected draft.
        drafts: sentDrafts,
        accepted,
        used: judged + (open ? 1 : 0),
        draftMs: sent - begun,
        tripMs: now() - sent
      })
    }
  }

  /** Drafts, and everything that can be known about their positions before the trip. */
  async #prepare(signal: AbortSignal): Promise<PreparedTrip> {
    const text = [...this.#text]
    const { draftLength } = this.#settings
    const { capabilities } = this.#components.remote
    const precision = wirePrecision(capabilities, this.#settings.precision)
    const wanted = draftLength === 'auto' ? this.#length.next() : draftLength
    // Leaves room for the token that follows the drafts.
    const count = Math.max(0, Math.min(wanted, capabilities.draftsMax, this.left - 1))
    const drafts = this.#drafter === undefined ? this.#guessed(count) : await this.#draft(text, count, signal)
    const counts = rankCounts(this.#settings, this.#request, capabilities, this.#ranks.count)
    const ids = [...text, ...drafts]
    // If the remote drafts, no ids are requested by number, and the trip does not wait for the proxies.
    const prepared = this.#drafter === undefined ? [] : await this.#positionsOf(ids, text.length)
    const positions = Array.from({ length: drafts.length + 1 }, (_, index) => {
      if (index === 0 && this.#question !== undefined) return this.#question.further.position
      return positionRequest(this.#settings, capabilities, counts, prepared[index])
    })
    const { seed, stream = 0, temperature } = this.#request
    const { drawn, reach } = counts
    const noise = { seed, stream, temperature, drawn, ...(reach && { reach }) }
    const { topK: firstTopK, skip: firstSkip } = this.#question?.further ?? {}
    const trip = {
      ids,
      positions,
      topK: counts.topK,
      precision,
      ...(firstTopK !== undefined && { firstTopK }),
      ...(firstSkip !== undefined && { firstSkip }),
      ...(counts.drawn > 0 && { noise })
    }
    const remote = count - drafts.length
    return {
      drafts,
      trip:
        this.#drafter === undefined
          ? remoteDraftTrip(this.#request, trip, remote, this.#settings.topK === 'rows')
          : trip,
      positions: prepared
    }
  }

  /** The most likely token of an open position, for a remote that drafts after it. */
  #guessed(count: number): readonly number[] {
    const guess = this.#question?.guess
    const { noise, judgesDrafts } = this.#components.remote.capabilities
    return guess !== undefined && count > 0 && noise && judgesDrafts ? [guess] : []
  }

  /** Number of most likely ids that the device knows after a record of a trip. */
  #ranksAt({ topK, firstTopK }: TripRequest, record: PositionRecord, index: number): number {
    const reported = (record.kind === 'part' ? record.ranks : undefined) ?? topK
    if (index > 0) return reported
    return Math.max(this.#question?.ranks ?? 0, firstTopK ?? reported)
  }

  /** Drafts; the first is the most likely token if an earlier answer determined it. */
  async #draft(text: readonly number[], count: number, signal: AbortSignal): Promise<readonly number[]> {
    const guess = this.#question?.guess
    const drafts =
      guess === undefined || count === 0
        ? await this.#drafter!.draft(text, count, signal)
        : [guess, ...(await this.#drafter!.draft([...text, guess], count - 1, signal))]
    signal.throwIfAborted()
    return drafts
  }

  async #positionsOf(ids: readonly number[], from: number): Promise<PreparedPosition[]> {
    // The two models run concurrently.
    const [adapted, base] = await Promise.all([
      this.#logits.adapted.rowsAfter(ids, from),
      this.#logits.base.rowsAfter(ids, from)
    ])
    return adapted.map((row, index) => ({
      scoring: this.#scorings.of(ids.slice(0, from + index), row, base[index]!),
      expected: base[index]!
    }))
  }

  /** A position of a trip. If it must be computed, the computation is queued after the pending ones. */
  #positionOf(
    { trip, drafts: own, positions }: PreparedTrip,
    drafts: readonly number[],
    index: number
  ): Promise<PreparedPosition> {
    const known = positions[index]
    if (known !== undefined) return Promise.resolve(known)
    const ids = [...trip.ids, ...drafts.slice(own.length)]
    ids.length = trip.ids.length - own.length + index
    const position = this.#ahead
      .catch(() => undefined)
      .then(() => this.#positionsOf(ids, ids.length))
      .then(([only]) => only!)
    this.#ahead = position
    position.catch(() => undefined)
    return position
  }

  /** Drafts for the next trip, in case all of this one's are accepted. */
  #draftAhead({ trip, drafts }: PreparedTrip, signal: AbortSignal): void {
    const drafter = this.#drafter
    if (drafter === undefined || this.left <= drafts.length + 1) return
    const count = Math.min(drafts.length + 1, this.left - drafts.length)
    this.#ahead = drafter.draft(trip.ids, count, signal)
    this.#ahead.catch(() => undefined)
  }

  /** The token of the first open position, or undefined if the answer leaves it open. */
  #settle(record: PositionRecord, position: PreparedPosition, ranks: number): PradaToken | undefined {
    const { capabilities } = this.#components.remote
    const { scoring } = position
    const knowledge = joined(this.#knowledge, record, capabilities.batchError)
    const verdict = verdictOf(knowledge, scoring)
    if (this.#question === undefined) this.#ranks.learn(verdict.kind === 'certain')
    if (record.doubt !== undefined)
      return this.#inexact(
        knowledge,
        scoring,
        verdict.kind === 'certain' ? verdict.id : verdict.guess,
        record.doubt
      )
    if (verdict.kind === 'certain') {
      const close = nearTie(knowledge, scoring, verdict.id, capabilities.batchError)
      if (close) this.#counter.nearTies++
      return {
        ...this.#token(knowledge, scoring, verdict.id, true),
        ...(close && { nearTie: true as const })
      }
    }
    const answers = (this.#question?.answers ?? 0) + 1
    if (answers === 1) this.#counter.uncertain++
    const known = knowledge.kind === 'part' ? knowledge.part.ids : []
    // If no ids are requested in advance, none are requested for open positions either.
    const wantedMax = this.#settings.wantedMax === 0 ? 0 : capabilities.wantedMax
    const further = askFurther(verdict, { ...capabilities, wantedMax }, position, {
      ids: known,
      ranks,
      answers
    })
    if (further !== undefined) {
      this.#question = { further, answers, ranks, guess: verdict.guess }
      this.#knowledge = knowledge
      return undefined
    }
    return this.#inexact(knowledge, scoring, verdict.guess, 'it cannot report enough')
  }

  /** The most likely token, which is not certain. */
  #inexact(knowledge: Knowledge, scoring: Scoring, guess: number | undefined, reason: string): PradaToken {
    if (this.#settings.requireExact || guess === undefined)
      throw new NotExactError(
        `${this.#components.remote.name} leaves token ${this.#text.length} uncertain: ${reason}`
      )
    this.#counter.inexact++
    return this.#token(knowledge, scoring, guess, false)
  }

  #token(knowledge: Knowledge, scoring: Scoring, id: number, exact: boolean): PradaToken {
    this.#question = undefined
    this.#knowledge = undefined
    const { logProbabilities = false, alternatives = 0 } = this.#request
    return {
      id,
      exact,
      ...(logProbabilities && probabilitiesOf(knowledge, scoring, id, alternatives))
    }
  }
}
