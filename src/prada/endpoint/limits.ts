/** Bounds of an endpoint. */
export interface EndpointLimits {
  /** Concurrent requests in generation, in total and per client. */
  readonly requests: number
  readonly requestsPerClient: number
  /** Requests waiting for a slot, in total and per client. */
  readonly waiting: number
  readonly waitingPerClient: number
  /** Maximum size of a request body, bytes. */
  readonly bodyBytes: number
}

export const DEFAULT_ENDPOINT_LIMITS: EndpointLimits = {
  requests: 8,
  requestsPerClient: 4,
  waiting: 64,
  waitingPerClient: 16,
  bodyBytes: 1024 * 1024
}
