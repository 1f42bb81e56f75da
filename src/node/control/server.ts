import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { z } from 'zod'
import { networkView } from '../diagnosis/index.ts'
import { readEvaluation } from '../home/evaluation-file.ts'
import type { ControlComponents } from './components.ts'
import { ConnectionSlots } from './connection-slots.ts'
import { EventStreams, STREAMS_MAX } from './event-streams.ts'
import { hasToken, isMetricsHost, isOwnHost } from './guard.ts'
import { type LogFilter, logFilterSchema, wantsLine } from './log-filter.ts'
import { serveMemberLogits } from './logits-routes.ts'
import { peerViews, readiness, roundViews, statusView } from './views.ts'

/** Only requests for logits carry a larger body. */
const BODY_BYTES_MAX = 1_024
const HEADER_BYTES_MAX = 8_192
/** Maximum number of open connections, streams included. */
const CONNECTIONS_MAX = STREAMS_MAX + 48
/** Timeout of a client's request, and of an idle connection, milliseconds. */
const REQUEST_MS = 3_000

const networkQuery = z.object({ look: z.stringbool().default(false) })
const roundsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(20),
  before: z.coerce.number().int().min(1).optional()
})
const roundParams = z.object({ round: z.coerce.number().int().min(1) })
const linesQuery = logFilterSchema.extend({ lines: z.coerce.number().int().min(0).max(1_000).default(100) })
const EVENT_TYPES = [
  'listening',
  'progress',
  'sealed',
  'bootstrap',
  'incompatible',
  'heldOut',
  'evaluation',
  'leftOut',
  'halted',
  'copied',
  'contradicted',
  'log'
] as const
const eventsQuery = logFilterSchema.extend({
  /** Log lines to begin with, so that none is lost between these and the next. */
  lines: z.coerce.number().int().min(0).max(1_000).default(0),
  types: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(EVENT_TYPES)))
    .default([...EVENT_TYPES])
})

/** The control API before it listens. */
export interface ControlServer {
  readonly app: FastifyInstance
  readonly streams: EventStreams
  /** Ends the streams and closes every connection. */
  close(): Promise<void>
}

/**
 * The control API. Everything but `/healthz` and `/readyz` requires the token (`authorization: Bearer …`), and every
 * request must name this machine as its host, unless it comes through a unix socket.
 *
 * - `/healthz`, `/readyz`, `/metrics`
 * - `/v1/network?look=true`: reach, addresses, verdicts; with `look` all addresses are checked first, which takes
 *   seconds
 * - `/v1/status`, `/v1/peers`, `/v1/rounds?limit=&before=`, `/v1/logs?lines=&level=&topic=`
 * - `/v1/rounds/N/evaluation`: what was measured on the held-out text in that round
 * - `/v1/events?types=&lines=&level=&topic=`: server-sent events `progress`, `sealed`, `listening`, `bootstrap`, `incompatible`,
 *   `heldOut`, `evaluation`, `leftOut`, `halted`, `copied`, `contradicted`, `log`, and `dropped` where the client was too slow
 * - `/members/PEERID/v1/logits/…`: a member's logits server
 *
 * Connections that have not shown the token are limited in number and time, so that there is room for those that have.
 *
 * @param token what clients must show; if undefined, only health and metrics are served, to anybody who names a host of
 * `metrics.hosts` or one that cannot belong to an attacker
 * @param requestMs other than usual in tests
 */
export function createControlServer(
  components: ControlComponents,
  token: string | undefined,
  requestMs = REQUEST_MS
): ControlServer {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: requestMs,
    keepAliveTimeout: requestMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: requestMs,
      connectionsCheckingInterval: Math.ceil(requestMs / 3)
    }
  })
  app.server.maxConnections = CONNECTIONS_MAX
  const slots = new ConnectionSlots(app.server)
  const streams = new EventStreams()
  app.addHook('onRequest', async (request, reply) => {
    if (request.raw.socket.remoteAddress === undefined) return
    if (token === undefined) {
      if (isMetricsHost(request.headers.host, components.config.metrics.hosts)) return
      return reply.code(403).send({ error: 'unknown host in the host header: add it to metrics.hosts' })
    }
    if (!isOwnHost(request.headers.host))
      return reply.code(403).send({ error: 'the host header must name this machine: 127.0.0.1 or localhost' })
  })
  const guarded = {
    onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
      if (token === undefined) return
      if (hasToken(request.headers.authorization, token)) return slots.prove(request.raw.socket)
      return reply.code(401).header('www-authenticate', 'Bearer').send({
        error: 'a token is needed: authorization: Bearer TOKEN, from control.token in the home folder'
      })
    }
  }
  app.get('/healthz', async () => ({ alive: true }))
  app.get('/readyz', async (_request, reply) => {
    const found = readiness(components)
    return reply.code(found.ready ? 200 : 503).send(found)
  })
  app.get('/metrics', guarded, async (_request, reply) =>
    reply.type(components.metrics.contentType).send(await components.metrics.text())
  )
  if (token !== undefined) {
    serveViews(app, components, streams, guarded)
    serveMemberLogits(app, components.memberLogits, guarded)
  }
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: 'not found' }))
  app.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof z.ZodError) return reply.code(400).send({ error: faultOf(error) })
    const code = error.statusCode ?? 500
    if (code >= 500) components.log.error({ error: error.message }, 'a request to the control API failed')
    return reply.code(code).send({ error: error.message })
  })
  return {
    app,
    streams,
    async close() {
      streams.close()
      await app.close()
    }
  }
}

function serveViews(
  app: FastifyInstance,
  components: ControlComponents,
  streams: EventStreams,
  guarded: { onRequest: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> }
): void {
  app.get('/v1/status', guarded, async () => statusView(components))
  app.get('/v1/peers', guarded, async () => ({ peers: peerViews(components) }))
  app.get('/v1/network', guarded, async (request) => {
    const { look } = networkQuery.parse(request.query)
    if (look) await components.handshakes.lookNow()
    return networkView({ ...components, context: components.driver.state.context }, 'daemon')
  })
  app.get('/v1/rounds', guarded, async (request) => {
    const { limit, before } = roundsQuery.parse(request.query)
    return { rounds: await roundViews(components, limit, before) }
  })
  app.get('/v1/rounds/:round/evaluation', guarded, async (request, reply) => {
    const { round } = roundParams.parse(request.params)
    const evaluation = await readEvaluation(components.home, round)
    if (evaluation !== undefined) return evaluation
    return reply.code(404).send({ error: `nothing was measured in round ${round}` })
  })
  app.get('/v1/logs', guarded, async (request) => {
    const { lines, level, topic } = linesQuery.parse(request.query)
    return { lines: lastLines(components, lines, { level, topics: topic }) }
  })
  app.get('/v1/events', guarded, async (request, reply) => {
    const { types, lines, level, topic } = eventsQuery.parse(request.query)
    const filter = {
      wants: (type: string, data: unknown) =>
        (types as readonly string[]).includes(type) &&
        (type !== 'log' || wantsLine({ level, topics: topic }, data))
    }
    if (streams.open >= STREAMS_MAX)
      return reply
        .code(503)
        .send({ error: `${STREAMS_MAX} clients are subscribed already: close one of them` })
    reply.hijack()
    streams.add(reply.raw, filter, lastLines(components, lines, { level, topics: topic }))
  })
}

function lastLines({ recent }: ControlComponents, count: number, filter: LogFilter): unknown[] {
  const wanted = recent
    .lines()
    .map((line) => JSON.parse(line) as unknown)
    .filter((line) => wantsLine(filter, line))
  return count === 0 ? [] : wanted.slice(-count)
}

function faultOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}
