import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type LogitsTransport, TransportError, vocabularyJson } from '../../prada/remotes/index.ts'
import { LOGITS_ANSWER_BYTES_MAX, LOGITS_REQUEST_BYTES_MAX, LOGITS_TIMEOUT_MS } from '../logits/messages.ts'

const memberParams = z.object({ peer: z.string().regex(/^[1-9A-HJ-NP-Za-km-z]{20,100}$/) })
const sessionParams = memberParams.extend({ session: z.string().regex(/^[0-9a-f]{32}$/) })
const openSchema = z.strictObject({
  vocabularySize: z
    .int()
    .min(1)
    .max(2 ** 32 - 1)
})

const STATUS = { unreachable: 502, busy: 429, 'unknown-session': 404, refused: 403, garbage: 502 } as const

/**
 * Members' logits servers through this peer, for programs of this machine that cannot dial members themselves, as two hosts
 * with one key must not run: `/members/PEERID/v1/logits/…` is a logits server's `/v1/logits/…`.
 *
 * @param memberLogits the logits server of a member
 */
export function serveMemberLogits(
  app: FastifyInstance,
  memberLogits: (peerId: string) => LogitsTransport,
  guarded: { onRequest: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> }
): void {
  void app.register(async (routes) => {
    routes.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body)
    )
    routes.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) =>
      sendFailure(error, reply)
    )
    const of = ({ params }: FastifyRequest): LogitsTransport => memberLogits(memberParams.parse(params).peer)
    const signal = (): AbortSignal => AbortSignal.timeout(LOGITS_TIMEOUT_MS)
    const base = '/members/:peer/v1/logits'
    routes.get(`${base}/model`, guarded, (request) => of(request).describe(signal()))
    routes.get(`${base}/vocabulary`, guarded, async (request) =>
      vocabularyJson(await of(request).vocabulary(signal()))
    )
    routes.post(`${base}/sessions`, guarded, async (request, reply) => {
      const session = await of(request).open(openSchema.parse(request.body).vocabularySize, signal())
      return reply.code(201).send({ session: Buffer.from(session).toString('hex') })
    })
    routes.delete(`${base}/sessions/:session`, guarded, async (request, reply) => {
      await of(request).close(Buffer.from(sessionParams.parse(request.params).session, 'hex'), signal())
      return reply.code(204).send()
    })
    routes.post(
      `${base}/verify`,
      { ...guarded, bodyLimit: LOGITS_REQUEST_BYTES_MAX },
      async (request, reply) => {
        const pieces: Uint8Array[] = []
        const bytes = z.instanceof(Buffer).parse(request.body)
        for await (const piece of of(request).verify(bytes, LOGITS_ANSWER_BYTES_MAX - 1, signal()))
          pieces.push(piece)
        return reply.type('application/octet-stream').send(Buffer.concat(pieces))
      }
    )
  })
}

async function sendFailure(
  error: Error & { statusCode?: number },
  reply: FastifyReply
): Promise<FastifyReply> {
  if (error instanceof TransportError) {
    if (error.retryAfterMs !== undefined)
      void reply.header('retry-after-ms', String(Math.ceil(error.retryAfterMs)))
    return reply.code(STATUS[error.fault]).send({ error: error.message, fault: error.fault })
  }
  if (error instanceof z.ZodError)
    return reply.code(400).send({ error: z.prettifyError(error), fault: 'malformed' })
  if (error.name === 'TimeoutError')
    return reply.code(504).send({ error: 'the member did not answer in time', fault: 'unreachable' })
  return reply.code(error.statusCode ?? 500).send({ error: error.message, fault: 'refused' })
}
