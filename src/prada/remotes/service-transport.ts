import type { Vocabulary } from '../core/index.ts'
import {
  type LogitsTransport,
  type ServerDescription,
  TransportError,
  type TransportFault
} from './logits-transport.ts'

/** The part of `LogitsService` that is used here. */
export interface LocalService {
  readonly description: ServerDescription
  readonly vocabulary: Vocabulary
  open(client: string, vocabularySize: number): { readonly session: string }
  verify(client: string, request: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array, void>
  close(client: string, session: string): void
}

const FAULTS: Readonly<Record<string, TransportFault>> = {
  'unknown-session': 'unknown-session',
  busy: 'busy',
  full: 'busy'
}

/** A logits server in this process: the same bytes, without a network. */
export function createServiceTransport(service: LocalService, client = 'local'): LogitsTransport {
  let [sent, received] = [0, 0]
  const asking = <Value>(work: () => Value): Value => {
    try {
      return work()
    } catch (error) {
      throw asTransportError(error)
    }
  }
  return {
    address: service.description.name,
    describe: async () => service.description,
    vocabulary: async () => service.vocabulary,
    open: async (vocabularySize) =>
      Buffer.from(asking(() => service.open(client, vocabularySize)).session, 'hex'),
    async *verify(request, _bytesMax, signal) {
      sent += request.length
      try {
        for await (const piece of service.verify(client, request, signal)) {
          received += piece.length
          yield piece
        }
      } catch (error) {
        throw asTransportError(error)
      }
    },
    close: async (session) => asking(() => service.close(client, Buffer.from(session).toString('hex'))),
    get traffic() {
      return { sent, received }
    }
  }
}

function asTransportError(error: unknown): unknown {
  const { name, fault, retryAfterMs, message } = error as Error & { fault?: string; retryAfterMs?: number }
  if (name !== 'ServiceError' || fault === undefined) return error
  return new TransportError(FAULTS[fault] ?? 'refused', message, {
    cause: error,
    ...(retryAfterMs !== undefined && { retryAfterMs })
  })
}
