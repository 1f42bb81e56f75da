import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { SESSION_BYTES } from '../wire/index.ts'
import { asTransportError, createHttpExchange, type HttpTransportOptions } from './http-exchange.ts'
import { type LogitsTransport, TransportError } from './logits-transport.ts'
import { descriptionSchema, vocabularySchema } from './server-schemas.ts'

/** Up to this many bytes, an unwanted rest is read and discarded; for a longer one the connection is closed. */
const DRAIN_BYTES_MAX = 2 ** 20

const sessionSchema = z.object({
  session: z
    .string()
    .length(2 * SESSION_BYTES)
    .regex(/^[0-9a-f]*$/)
})

/**
 * A logits server over HTTP with keep-alive connections. One is enough, but more let a request skip waiting for an
 * unwanted answer.
 */
export function createHttpTransport(options: HttpTransportOptions): LogitsTransport & { dispose(): void } {
  const exchange = createHttpExchange(options)
  let content = 0
  return {
    address: exchange.address,
    async describe(signal) {
      return exchange.json(
        await exchange.send('GET', 'v1/logits/model', undefined, signal),
        descriptionSchema,
        signal
      )
    },
    async vocabulary(signal) {
      const response = await exchange.send('GET', 'v1/logits/vocabulary', undefined, signal)
      return exchange.json(response, vocabularySchema, signal)
    },
    async open(vocabularySize, signal) {
      const body = { type: 'application/json', bytes: Buffer.from(JSON.stringify({ vocabularySize })) }
      const response = await exchange.send('POST', 'v1/logits/sessions', body, signal)
      return Buffer.from((await exchange.json(response, sessionSchema, signal)).session, 'hex')
    },
    async *verify(request, bytesMax, signal) {
      const response = await exchange.send(
        'POST',
        'v1/logits/verify',
        { type: 'application/octet-stream', bytes: request },
        signal
      )
      content += request.length
      let received = 0
      try {
        for await (const chunk of response.iterator({ destroyOnReturn: false })) {
          received += (chunk as Buffer).length
          content += (chunk as Buffer).length
          if (received > bytesMax)
            throw new TransportError('garbage', `an answer of more than ${bytesMax} bytes`)
          yield chunk as Buffer
        }
        if (!response.complete)
          throw new TransportError('unreachable', 'the connection broke during the answer')
      } catch (error) {
        response.destroy()
        throw asTransportError(error, signal)
      } finally {
        leave(response, bytesMax - received)
      }
    },
    async close(session, signal) {
      const response = await exchange.send(
        'DELETE',
        `v1/logits/sessions/${Buffer.from(session).toString('hex')}`,
        undefined,
        signal
      )
      await exchange.drop(response, signal)
    },
    get traffic() {
      return { ...exchange.traffic, content }
    },
    dispose: () => exchange.dispose()
  }
}

/** Abandons an answer whose rest is not needed. The server ends it when the next request arrives. */
function leave(response: IncomingMessage, rest: number): void {
  if (response.readableEnded || response.destroyed) return
  if (rest > DRAIN_BYTES_MAX) response.destroy()
  else response.resume()
}
