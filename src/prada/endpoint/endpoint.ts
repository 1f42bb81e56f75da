import { setTimeout as delay } from 'node:timers/promises'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { createFairQueue } from '../server/fair-queue.ts'
import { createAccess } from './access.ts'
import { type Answering, answer, type RequestKind, requireName } from './answer.ts'
import { chatFormat, completionFormat } from './answer-format.ts'
import { readChatRequest } from './chat-request.ts'
import { readCompletionRequest } from './completion-request.ts'
import { asEndpointError, EndpointError, errorBody, retryHeaders } from './endpoint-error.ts'
import { DEFAULT_ENDPOINT_LIMITS, type EndpointLimits } from './limits.ts'
import { createEndpointMetrics, type EndpointGauges, type EndpointMetrics } from './metrics.ts'
import { createSourceInUse, type SourceInUse } from './source-in-use.ts'
import type { TextSource } from './text-source.ts'

/** Maximum time for a client to send its request, milliseconds. */
const REQUEST_MS = 30_000
/** Keep-alive time of an idle connection, longer than that of clients and proxies, milliseconds. */
const KEEP_ALIVE_MS = 75_000
const CONNECTIONS_MAX = 512
const HEADER_BYTES_MAX = 16_384
/** Interval at which closing checks whether texts have ended, milliseconds. */
const LOOK_MS = 20

const CHAT: RequestKind = { prefix: 'chatcmpl', read: readChatRequest, format: chatFormat }
const COMPLETION: RequestKind = { prefix: 'cmpl', read: readCompletionRequest, format: completionFormat }

/** Options of an endpoint. */
export interface EndpointOptions {
  readonly version: string
  readonly limits?: Partial<EndpointLimits>
  /** Keys, one of which clients must present; if empty, no key is required. */
  readonly apiKeys?: readonly string[]
  /** Origins allowed by CORS, `*` for all; none if absent. */
  readonly cors?: readonly string[]
  /** Called with each failure. */
  readonly onFailure?: (error: Error) => void
  /** Adds further routes to the server, for the same clients. */
  readonly addRoutes?: (app: FastifyInstance, clientOf: (request: FastifyRequest) => string) => void
  readonly logitsLoad?: EndpointGauges['logits']
}

/** An OpenAI-compatible server that does not listen yet. */
export interface Endpoint {
  readonly app: FastifyInstance
  readonly metrics: EndpointMetrics
  /** Generates new texts from this source. Running texts continue with their own. */
  use(source: TextSource): void
  /**
   * Stops accepting requests, lets running texts finish, and closes every connection.
   *
   * @param graceMs time after which remaining texts end with an error
   */
  close(graceMs?: number): Promise<void>
}

/**
 * An OpenAI-compatible endpoint over one source of texts: `GET /v1/models`, `POST /v1/chat/completions`,
 * `POST /v1/completions`, `GET /health`, `GET /metrics`. Until the first `use` it answers 503.
 */
export function createEndpoint(options: EndpointOptions): Endpoint {
  const { onFailure = () => undefined } = options
  const limits = { ...DEFAULT_ENDPOINT_LIMITS, ...options.limits }
  const app = createApp(limits)
  const sources = createSourceInUse((error) => onFailure(error as Error))
  const places = createFairQueue({
    ...limits,
    atOnce: limits.requests,
    atOncePerClient: limits.requestsPerClient
  })
  const everybody = limits.requests + limits.waiting
  const turns = createFairQueue({ waiting: everybody, waitingPerClient: everybody })
  const closing = new AbortController()
  let isClosing = false
  const waiting = (): number => places.waiting
  const active = (): number => places.length - places.waiting
  const metrics = createEndpointMetrics(options.version, {
    active,
    waiting,
    isReady: () => sources.current !== undefined,
    traffic: () => sources.current?.traffic,
    ...(options.logitsLoad && { logits: options.logitsLoad })
  })
  const access = createAccess(options.apiKeys ?? [])
  const answering: Answering = { sources, places, turns, metrics, onFailure, closing: closing.signal }

  answerErrors(app, onFailure)
  // Runs before the body is read, and after the CORS headers, so that a browser can see the rejection.
  app.addHook('preParsing', async (request, reply) => {
    reply.header('x-request-id', request.id)
    if (request.url === '/health') return
    access.check(request)
    if (isClosing) throw closingError()
  })
  if (options.cors !== undefined) void app.register(cors, corsOptions(options.cors))
  app.get('/health', async (_request, reply) => {
    const status = isClosing ? 'closing' : sources.current === undefined ? 'loading' : 'ok'
    return reply.code(status === 'ok' ? 200 : 503).send({ status })
  })
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()))
  addModelRoutes(app, sources)
  const answers = (kind: RequestKind) => async (request: FastifyRequest, reply: FastifyReply) => {
    await answer(answering, { kind, client: access.clientOf(request), request, reply })
    return reply
  }
  app.post('/v1/chat/completions', answers(CHAT))
  app.post('/v1/completions', answers(COMPLETION))
  options.addRoutes?.(app, access.clientOf)

  return {
    app,
    metrics,
    use: (source) => sources.replace(source),
    async close(graceMs = 0) {
      isClosing = true
      const deadline = performance.now() + graceMs
      while (places.length > 0 && performance.now() < deadline) await delay(LOOK_MS)
      closing.abort(closingError())
      while (places.length > 0) await delay(LOOK_MS)
      await app.close()
      await sources.dispose()
    }
  }
}

function createApp({ bodyBytes }: EndpointLimits): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: bodyBytes,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    genReqId: () => crypto.randomUUID(),
    http: { maxHeaderSize: HEADER_BYTES_MAX }
  })
  app.server.maxConnections = CONNECTIONS_MAX
  return app
}

function addModelRoutes(app: FastifyInstance, sources: SourceInUse): void {
  const created = Math.floor(Date.now() / 1_000)
  const view = ({ name }: TextSource): object => ({ id: name, object: 'model', created, owned_by: 'loam' })
  const current = (): TextSource => {
    const { source, release } = sources.hold()
    release()
    return source
  }
  app.get('/v1/models', async () => ({ object: 'list', data: [view(current())] }))
  app.get<{ Params: { '*': string } }>('/v1/models/*', async ({ params }) => {
    requireName(current(), params['*'])
    return view(current())
  })
}

function closingError(): EndpointError {
  return new EndpointError(503, 'the server is shutting down', { code: 'shutting_down' })
}

function answerErrors(app: FastifyInstance, onFailure: (error: Error) => void): void {
  app.setNotFoundHandler(async ({ method, url }, reply) => {
    const what = `${method} ${url.split('?')[0]!.slice(0, 200)}`
    return reply
      .code(404)
      .send(errorBody(new EndpointError(404, `${what} does not exist`, { code: 'not_found' })))
  })
  app.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    const reported = isOfFastify(error) ? asRefused(error) : asEndpointError(error)
    if (reported.statusCode === 500) onFailure(error)
    return reply.code(reported.statusCode).headers(retryHeaders(reported)).send(errorBody(reported))
  })
}

/** Whether a request was rejected before it reached a route, because its body is too long or not JSON. */
function isOfFastify(error: Error & { statusCode?: number }): boolean {
  return !(error instanceof EndpointError) && error.statusCode !== undefined && error.statusCode < 500
}

const REFUSED_CODES: Readonly<Record<number, string>> = {
  400: 'invalid_json',
  413: 'request_too_large',
  415: 'unsupported_media_type'
}

function asRefused({ statusCode = 400, message }: Error & { statusCode?: number }): EndpointError {
  const code = REFUSED_CODES[statusCode]
  return new EndpointError(statusCode, message, { ...(code !== undefined && { code }) })
}

function corsOptions(origins: readonly string[]) {
  return {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'POST', 'DELETE'],
    maxAge: 600
  }
}
