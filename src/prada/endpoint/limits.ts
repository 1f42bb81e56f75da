/** Bounds of an endpoint. */
export interface EndpointLimits {
  /** Requests whose texts are made at a time, of all clients and of one. */
  readonly requests: number
  readonly requestsPerClient: number
  /** Requests that wait for a place, of all clients and of one. */
  readonly waiting: number
  readonly waitingPerClient: number
  /** Bytes of a request's body. */
  readonly bodyBytes: number
}

export const DEFAULT_ENDPOINT_LIMITS: EndpointLimits = {
  requests: 8,
  requestsPerClient: 4,
  waiting: 64,
  waitingPerClient: 16,
  bodyBytes: 1024 * 1024
}
