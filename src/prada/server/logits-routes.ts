import { Readable } from 'node:stream'
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { LOGITS_PROTOCOL } from '../remotes/logits-protocol.ts'
import { vocabularyJson } from '../remotes/server-schemas.ts'
import type { LogitsService } from './logits-service.ts'
import { serveLogitsSocket } from './logits-socket.ts'
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

/** Type of requests and answers of the wire's kind. */
export const LOGITS_TYPE = 'application/octet-stream'

/**
 * The logits server over HTTP:
 *
 * - `GET /v1/logits/model`: name, digest, what can be asked for; `GET /v1/logits/vocabulary`: ids as bytes
 * - `POST /v1/logits/sessions` `{ vocabularySize }`, `DELETE /v1/logits/sessions/:session`
 * - `POST /v1/logits/verify`: a request of the wire's kind, answered by its answer
 * - `GET /v1/logits/socket`: a WebSocket for the requests of one session after another, without headers
 *
 * Errors are `{ error, fault }`, with `retry-after-ms` where trying again may help.
 *
 * @param clientOf names the client whose limits a request counts towards
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
    addSocketRoute(routes, service, clientOf)
    routes.get('/v1/logits/model', async () => ({ ...service.description, socket: true }))
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
  reply.raw.once('close', () => gone.abort(new Error('the client has hung up')))
  const answer = service.verify(client, body, gone.signal)
  const first = await answer.next()
  const second = first.done ? Promise.resolve(first) : answer.next()
  // Headers are a good part of a short answer. HTTP/1.1 keeps connections anyway.
  reply.raw.sendDate = false
  reply.raw.removeHeader('connection')
  reply.removeHeader('x-request-id')
  reply.type(LOGITS_TYPE)
  // An answer of one piece ends at once and is sent with its length; a piece that takes a pass is not waited for.
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

/** Whether an answer is at its end, as far as that shows without waiting for work. */
async function endsAtOnce(next: Promise<IteratorResult<Uint8Array, void>>): Promise<boolean> {
  next.catch(() => undefined)
  const later = new Promise<undefined>((resolve) => setImmediate(resolve, undefined))
  return (await Promise.race([next, later]))?.done === true
}

/**
 * The socket is for programs: a browser sends an origin, and no rule of its own keeps a page from opening one.
 */
function addSocketRoute(
  routes: FastifyInstance,
  service: LogitsService,
  clientOf: (request: FastifyRequest) => string
): void {
  const { sessions, sessionsPerClient, requestBytes } = service.limits
  const open = new Map<string, number>()
  const count = (client: string): number => open.get(client) ?? 0
  void routes.register(websocket, {
    options: {
      maxPayload: requestBytes,
      handleProtocols: (offered) => (offered.has(LOGITS_PROTOCOL) ? LOGITS_PROTOCOL : false)
    }
  })
  void routes.register(async (sockets) => {
    const accept = async (request: FastifyRequest): Promise<void> => {
      if (request.headers.origin !== undefined)
        throw new ServiceError('refused', 'pages of a browser ask by POST /v1/logits/verify')
      const all = [...open.values()].reduce((sum, each) => sum + each, 0)
      if (all >= sessions || count(clientOf(request)) >= sessionsPerClient)
        throw new ServiceError('busy', 'too many sockets are open', 1_000)
    }
    sockets.get('/v1/logits/socket', { websocket: true, preValidation: accept }, (socket, request) => {
      const client = clientOf(request)
      open.set(client, count(client) + 1)
      socket.once('close', () => {
        if (count(client) > 1) open.set(client, count(client) - 1)
        else open.delete(client)
      })
      serveLogitsSocket(socket, service, client, (error) => failureOf(error as Error))
    })
  })
}

/** Why a request was not served. */
interface Failure {
  readonly error: string
  readonly fault: string
  readonly status: number
  readonly retryAfterMs?: number
}

function failureOf(error: Error & { statusCode?: number }): Failure {
  if (error instanceof ServiceError) {
    const { message, fault, retryAfterMs } = error
    return {
      ...{ error: message, fault, status: STATUS[fault] },
      ...(retryAfterMs !== undefined && { retryAfterMs: Math.ceil(retryAfterMs) })
    }
  }
  if (error instanceof z.ZodError) return { error: z.prettifyError(error), fault: 'malformed', status: 400 }
  const status = error.statusCode ?? 500
  return { error: error.message, fault: status < 500 ? 'malformed' : 'failed', status }
}

async function sendError(error: Error & { statusCode?: number }, reply: FastifyReply): Promise<FastifyReply> {
  const { status, retryAfterMs, ...body } = failureOf(error)
  if (retryAfterMs !== undefined)
    reply
      .header('retry-after-ms', String(retryAfterMs))
      .header('retry-after', String(Math.ceil(retryAfterMs / 1_000)))
  return reply.code(status).send(body)
}
