import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { vocabularyJson } from '../remotes/server-schemas.ts'
import type { LogitsService } from './logits-service.ts'
import { ServiceError, type ServiceFault } from './service-error.ts'

const openSchema = z.strictObject({ vocabularySize: z.int().min(1) })
const sessionSchema = z.object({ session: z.string().regex(/^[0-9a-f]{32}$/) })

const STATUS: Readonly<Record<ServiceFault, number>> = {
  malformed: 400,
  'too-large': 413,
  'unknown-session': 404,
  refused: 403,
  busy: 429,
  full: 503
}

/** Media type of requests and answers in the wire format. */
export const LOGITS_TYPE = 'application/octet-stream'

/**
 * The logits server over HTTP:
 *
 * - `GET /v1/logits/model`: name, digest and limits; `GET /v1/logits/vocabulary`: ids as bytes
 * - `POST /v1/logits/sessions` `{ vocabularySize }`, `DELETE /v1/logits/sessions/:session`
 * - `POST /v1/logits/verify`: a request in the wire format, with an answer in the wire format
 *
 * Errors are `{ error, fault }`, with `retry-after-ms` if a retry may succeed.
 *
 * @param clientOf returns the client whose limits a request counts towards
 */
export function addLogitsRoutes(
  app: FastifyInstance,
  service: LogitsService,
  clientOf: (request: FastifyRequest) => string
): void {
  void app.register(async (routes) => {
    routes.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) =>
      sendError(error, reply)
    )
    routes.addContentTypeParser(
      LOGITS_TYPE,
      { parseAs: 'buffer', bodyLimit: service.limits.requestBytes },
      (_request, body, done) => done(null, body)
    )
    routes.get('/v1/logits/model', async () => service.description)
    routes.get('/v1/logits/vocabulary', async () => {
      return vocabularyJson(service.vocabulary)
    })
    routes.post('/v1/logits/sessions', async (request, reply) => {
      const { vocabularySize } = openSchema.parse(request.body)
      return reply.code(201).send(service.open(clientOf(request), vocabularySize))
    })
    routes.delete('/v1/logits/sessions/:session', async (request, reply) => {
      service.close(clientOf(request), sessionSchema.parse(request.params).session)
      return reply.code(204).send()
    })
    routes.post('/v1/logits/verify', async (request, reply) => {
      if (!Buffer.isBuffer(request.body))
        throw new ServiceError('malformed', `the body must be ${LOGITS_TYPE}`)
      return sendAnswer(reply, service, clientOf(request), request.body)
    })
  })
}

async function sendAnswer(
  reply: FastifyReply,
  service: LogitsService,
  client: string,
  body: Uint8Array
): Promise<FastifyReply> {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort(new Error('the client disconnected')))
  const answer = service.verify(client, body, gone.signal)
  const first = await answer.next()
  const second = first.done ? Promise.resolve(first) : answer.next()
  // Headers are a large part of a short answer. HTTP/1.1 keeps connections alive by default.
  reply.raw.sendDate = false
  reply.raw.removeHeader('connection')
  reply.removeHeader('x-request-id')
  reply.type(LOGITS_TYPE)
  // An answer of one piece is sent with its length. A piece that needs another pass is not awaited.
  if (await endsAtOnce(second)) return reply.send(Buffer.from(first.value ?? []))
  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      yield first.value!
      const next = await second
      if (next.done) return
      yield next.value
      yield* answer
    } finally {
      await answer.return(undefined)
    }
  }
  return reply.send(Readable.from(pieces(), { objectMode: false }))
}

/** Whether an answer has ended, as far as can be seen without waiting for computation. */
async function endsAtOnce(next: Promise<IteratorResult<Uint8Array, void>>): Promise<boolean> {
  next.catch(() => undefined)
  const later = new Promise<undefined>((resolve) => setImmediate(resolve, undefined))
  return (await Promise.race([next, later]))?.done === true
}

async function sendError(error: Error & { statusCode?: number }, reply: FastifyReply): Promise<FastifyReply> {
  if (error instanceof ServiceError) {
    if (error.retryAfterMs !== undefined)
      reply
        .header('retry-after-ms', String(Math.ceil(error.retryAfterMs)))
        .header('retry-after', String(Math.ceil(error.retryAfterMs / 1_000)))
    return reply.code(STATUS[error.fault]).send({ error: error.message, fault: error.fault })
  }
  if (error instanceof z.ZodError)
    return reply.code(400).send({ error: z.prettifyError(error), fault: 'malformed' })
  const code = error.statusCode ?? 500
  return reply.code(code).send({ error: error.message, fault: code < 500 ? 'malformed' : 'failed' })
}
