import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FairQueue } from '../server/fair-queue.ts'
import type { AnswerFormat, AnswerHead, Usage, WholeChoice } from './answer-format.ts'
import { asEndpointError, EndpointError, errorBody } from './endpoint-error.ts'
import { type EventStream, openEventStream } from './event-stream.ts'
import { type ChoiceEvent, makeChoices } from './make-choices.ts'
import type { EndpointMetrics, Outcome } from './metrics.ts'
import type { SourceInUse } from './source-in-use.ts'
import type { TextPlan } from './text-plan.ts'
import type { MadeToken, TextSource } from './text-source.ts'

/** A kind of request: how it is parsed and how it is answered. */
export interface RequestKind {
  /** Prefix of the answers' ids. */
  readonly prefix: string
  /** @throws {EndpointError} 400 */
  read(source: TextSource, body: unknown): TextPlan
  format(head: AnswerHead): AnswerFormat
}

/** What answering requests depends on. */
export interface Answering {
  readonly sources: SourceInUse
  /** Slots for requests in generation. */
  readonly places: FairQueue
  /** Client turns, one token at a time. */
  readonly turns: FairQueue
  readonly metrics: EndpointMetrics
  /** Called with each failure. */
  readonly onFailure: (error: Error) => void
  /** Aborts when all texts must end, with an `EndpointError` as its reason. */
  readonly closing: AbortSignal
}

/** A request and the client that it comes from. */
export interface Asking {
  readonly kind: RequestKind
  readonly client: string
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/**
 * Answers a request for texts when its turn comes. If the client disconnects, the slot is released and computation
 * stops.
 *
 * @throws {EndpointError} if nothing has been sent yet
 */
export async function answer(answering: Answering, { kind, client, request, reply }: Asking): Promise<void> {
  const { sources, places, metrics } = answering
  const started = performance.now()
  const left = new AbortController()
  reply.raw.once('close', () => left.abort(new Error('the client disconnected')))
  const signal = AbortSignal.any([left.signal, answering.closing])
  let outcome: Outcome = 'answered'
  try {
    const { source, release } = sources.hold()
    try {
      requireModel(source, request.body)
      const plan = kind.read(source, request.body)
      const events = (): AsyncGenerator<ChoiceEvent, void> =>
        timed(makeChoices(plan, { ...answering, source, client, signal }), metrics, started)
      const format = kind.format({
        id: `${kind.prefix}-${randomBytes(12).toString('hex')}`,
        created: Math.floor(Date.now() / 1_000),
        source,
        logProbabilities: plan.settings.alternatives !== undefined,
        includeUsage: plan.stream && plan.includeUsage
      })
      await places.run(client, signal, () =>
        plan.stream ? stream(reply, plan, format, events(), signal) : whole(reply, plan, format, events())
      )
    } finally {
      release()
    }
  } catch (error) {
    const reported = asEndpointError(error)
    outcome = left.signal.aborted ? 'left' : reported.statusCode < 500 ? 'refused' : 'failed'
    if (outcome === 'failed') answering.onFailure(reported)
    // The client is gone, or the stream has already reported the error.
    if (outcome === 'left' || reply.sent) reply.hijack()
    else throw reported
  } finally {
    metrics.request(outcome, (performance.now() - started) / 1_000)
  }
}

function requireModel(source: TextSource, body: unknown): void {
  const model = (body as { readonly model?: unknown } | null)?.model
  if (typeof model === 'string') requireName(source, model)
}

/** @throws {EndpointError} 404 if the source has a different name */
export function requireName({ name }: TextSource, model: string): void {
  if (model === name) return
  throw new EndpointError(404, `model ${JSON.stringify(model.slice(0, 200))} does not exist, only ${name}`, {
    param: 'model',
    code: 'model_not_found'
  })
}

/** Records when the first text begins to arrive. */
async function* timed(
  events: AsyncGenerator<ChoiceEvent, void>,
  metrics: EndpointMetrics,
  started: number
): AsyncGenerator<ChoiceEvent, void> {
  let isFirst = true
  for await (const event of events) {
    if (isFirst) metrics.firstToken((performance.now() - started) / 1_000)
    isFirst = false
    yield event
  }
}

/** Sums the token counts of a plan's texts. */
function usageOf({ prompts }: TextPlan, completion: number): Usage {
  const prompt = prompts.reduce((sum, { length }) => sum + length, 0)
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
}

async function whole(
  reply: FastifyReply,
  plan: TextPlan,
  format: AnswerFormat,
  events: AsyncGenerator<ChoiceEvent, void>
): Promise<void> {
  const choices: WholeChoice[] = []
  let text = ''
  let tokens: MadeToken[] = []
  let completion = 0
  for await (const event of events) {
    if (event.kind === 'piece') {
      text += event.text
      tokens.push(...event.tokens)
    } else if (event.kind === 'end') {
      const { reason, inexact } = event.end
      choices.push({ index: event.index, text, tokens, reason, exact: inexact === 0 })
      completion += event.end.tokens
      text = ''
      tokens = []
    }
  }
  await reply.send(format.whole(choices, usageOf(plan, completion)))
}

async function stream(
  reply: FastifyReply,
  plan: TextPlan,
  format: AnswerFormat,
  events: AsyncGenerator<ChoiceEvent, void>,
  signal: AbortSignal
): Promise<void> {
  let open: EventStream | undefined
  let completion = 0
  try {
    for await (const event of events) {
      if (open === undefined) {
        reply.hijack()
        open = openEventStream(reply.raw, reply.getHeaders() as Record<string, string>, signal)
      }
      const chunk = chunkOf(format, event)
      if (event.kind === 'end') completion += event.end.tokens
      if (chunk !== undefined) await open.send(chunk)
    }
    if (plan.includeUsage) await open!.send(format.usage(usageOf(plan, completion)))
    await open!.send('[DONE]')
  } catch (error) {
    open?.sendLast(errorBody(asEndpointError(error)))
    throw error
  } finally {
    open?.end()
  }
}

function chunkOf(format: AnswerFormat, event: ChoiceEvent): object | undefined {
  if (event.kind === 'begin') return format.begin(event.index)
  if (event.kind === 'piece') return format.piece(event.index, event.text, event.tokens)
  const { reason, inexact } = event.end
  return format.end({ index: event.index, reason, exact: inexact === 0 })
}
