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
  linePrecision,
  NotExactError,
  type PradaRequest,
  type PradaSettings,
  type PradaToken
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

/** Why a text ended: at a stop token, or because there was room for no more. */
export type PradaEnd = 'stop' | 'length'

/** A text under way. */
export interface PradaText {
  /** Tokens as they are settled. Ending the loop early frees what the remote holds. */
  readonly tokens: AsyncGenerator<PradaToken, PradaEnd>
  readonly statistics: PradaStatistics
}

/**
 * Continues a text with tokens of the combined distribution. The tokens depend on the request, the models and `alpha`
 * alone: not on who drafts, on the draft length, on top k or on the line.
 *
 * @throws {Error} when the settings ask for what the remote cannot do
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
    throw new Error(`${name} does not draft: draft by adapted or base`)
  if (settings.drafter !== 'remote' && !capabilities.judgesDrafts && settings.draftLength !== 0)
    throw new Error(`${name} does not judge drafts of the device: draft by remote`)
  if (settings.topK === 'rows' && !capabilities.rows)
    throw new Error(`${name} does not tell whole rows: give a top k`)
  if (typeof settings.topK === 'number' && settings.topK > capabilities.topKMax)
    throw new Error(`${name} tells at most the top ${capabilities.topKMax}, not ${settings.topK}`)
  const context = Math.min(proxy.base.context, proxy.adapted.context, capabilities.context)
  if (request.ids.length >= context)
    throw new Error(
      `the prompt has ${request.ids.length} tokens, which leaves no room in the context of ${context}: shorten it`
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

/** A trip with what is known of its positions before it. */
interface PreparedTrip {
  /** Of the device; those of the remote follow. */
  readonly drafts: readonly number[]
  readonly trip: TripRequest
  /** The position behind the text, and those behind the device's drafts; none where they did not have to wait. */
  readonly positions: readonly PreparedPosition[]
}

/** The trips of one text, and what goes from one to the next. */
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
  /** What earlier answers told of the position that is open. */
  #knowledge: Knowledge | undefined
  /** Drafting that goes on while an answer is under way. */
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

  /** Tokens that there is room for. */
  get left(): number {
    return this.#end - this.#text.length
  }

  /** Waits for what still computes. */
  async settled(): Promise<void> {
    await this.#ahead.catch(() => undefined)
  }

  /** One trip: the tokens that its answer settles, none where the first position stays open. */
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
        // Computed while the remote goes on, in case that the draft is the token.
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
      if (judged === 0 && !open) throw new RemoteError('garbage', 'the remote answered without a record')
    } finally {
      stop.abort()
      await answer.return(undefined)
      if (this.#drafter !== undefined) await this.settled()
      const sentDrafts = prepared.drafts.length + (prepared.trip.draft?.count ?? 0)
      this.#counter.judged += Math.min(judged, sentDrafts)
      this.#counter.accepted += accepted
      this.#length.learn({
        // An open position ends a trip as a rejected draft does.
        drafts: sentDrafts,
        accepted,
        used: judged + (open ? 1 : 0),
        draftMs: sent - begun,
        tripMs: now() - sent
      })
    }
  }

  /** Drafts, and everything that can be known of their positions before the trip. */
  async #prepare(signal: AbortSignal): Promise<PreparedTrip> {
    const text = [...this.#text]
    const { draftLength } = this.#settings
    const { capabilities } = this.#components.remote
    const precision = linePrecision(capabilities, this.#settings.precision)
    const wanted = draftLength === 'auto' ? this.#length.next() : draftLength
    // The last place is for the token that follows the drafts.
    const count = Math.max(0, Math.min(wanted, capabilities.draftsMax, this.left - 1))
    const drafts = this.#drafter === undefined ? this.#guessed(count) : await this.#draft(text, count, signal)
    const counts = rankCounts(this.#settings, this.#request, capabilities, this.#ranks.count)
    const ids = [...text, ...drafts]
    // Where the remote drafts nothing is asked for by number, and the trip does not wait for the proxies.
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

  /** The likeliest token of an open position, for a remote that drafts behind it. */
  #guessed(count: number): readonly number[] {
    const guess = this.#question?.guess
    const { noise, judgesDrafts } = this.#components.remote.capabilities
    return guess !== undefined && count > 0 && noise && judgesDrafts ? [guess] : []
  }

  /** As many of the likeliest ids a record of a trip lets the device know. */
  #ranksAt({ topK, firstTopK }: TripRequest, record: PositionRecord, index: number): number {
    const told = (record.kind === 'part' ? record.ranks : undefined) ?? topK
    if (index > 0) return told
    return Math.max(this.#question?.ranks ?? 0, firstTopK ?? told)
  }

  /** Drafts, of which the first is the likeliest token where an answer said so much. */
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
    // Two models, two threads.
    const [adapted, base] = await Promise.all([
      this.#logits.adapted.behind(ids, from),
      this.#logits.base.behind(ids, from)
    ])
    return adapted.map((row, index) => ({
      scoring: this.#scorings.of(ids.slice(0, from + index), row, base[index]!),
      expected: base[index]!
    }))
  }

  /** A position of a trip. Where it has to be computed, that takes its turn behind what is computed already. */
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

  /** Drafts of the next trip, in case that this one's are all accepted. */
  #draftAhead({ trip, drafts }: PreparedTrip, signal: AbortSignal): void {
    const drafter = this.#drafter
    if (drafter === undefined || this.left <= drafts.length + 1) return
    const count = Math.min(drafts.length + 1, this.left - drafts.length)
    this.#ahead = drafter.draft(trip.ids, count, signal)
    this.#ahead.catch(() => undefined)
  }

  /** The token of the first open position, or undefined where the answer leaves it open. */
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
    // Who asks for no ids in advance does not ask for those that are left open either.
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
    return this.#inexact(knowledge, scoring, verdict.guess, 'it cannot tell enough')
  }

  /** A token that is the likeliest, and not certain. */
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
