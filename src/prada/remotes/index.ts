/**
 * Black-box models behind one interface. Each declares its capabilities.
 *
 * @example
 * ```ts
 * const remote = await connectLogitsServer(createHttpTransport({ url: 'http://127.0.0.1:8080' }))
 * requireSameVocabulary(vocabulary, remote.vocabulary)
 * ```
 */
export type { HttpTransportOptions } from './http-exchange.ts'
export { createHttpTransport } from './http-transport.ts'
export { connectLogitsServer } from './logits-server.ts'
export {
  type LogitsTransport,
  type ServerDescription,
  TransportError,
  type TransportFault
} from './logits-transport.ts'
export {
  type DisposableTransport,
  type OpenedRemote,
  type OpenRemoteOptions,
  openRemote
} from './open-remote.ts'
export {
  type Remote,
  type RemoteCapabilities,
  RemoteError,
  type RemoteFault,
  type RemoteText,
  type Traffic,
  type TripRequest
} from './remote.ts'
export type { RetryOptions } from './retries.ts'
export { descriptionSchema, vocabularyJson, vocabularySchema } from './server-schemas.ts'
export { createServiceTransport } from './service-transport.ts'
