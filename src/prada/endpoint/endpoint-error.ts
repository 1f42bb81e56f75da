import { ContextLengthError } from '../../model/index.ts'
import { RemoteError, type RemoteFault } from '../remotes/remote.ts'
import { ServiceError } from '../server/service-error.ts'
import { NotExactError } from '../session/options.ts'

/** Fields of an error besides its message, as in OpenAI's API. */
export interface EndpointErrorOptions extends ErrorOptions {
  /** The request key that caused the error. */
  readonly param?: string
  readonly code?: string
  /** Delay before a retry, milliseconds. */
  readonly retryAfterMs?: number
  /** Whether the same request may succeed later. Sent to clients only if the status alone suggests otherwise. */
  readonly passes?: boolean
}

/** A rejected request, or a text that was cut off by an error. */
export class EndpointError extends Error {
  override readonly name = 'EndpointError'
  readonly statusCode: number
  readonly param: string | undefined
  readonly code: string | undefined
  readonly retryAfterMs: number | undefined
  readonly passes: boolean | undefined

  constructor(statusCode: number, message: string, options: EndpointErrorOptions = {}) {
    super(message, options)
    this.statusCode = statusCode
    this.param = options.param
    this.code = options.code
    this.retryAfterMs = options.retryAfterMs
    this.passes = options.passes
  }
}

/** An unsupported or invalid request: 400, naming the key. */
export function refusal(param: string | undefined, message: string, code?: string): EndpointError {
  return new EndpointError(400, message, {
    ...(param !== undefined && { param }),
    ...(code !== undefined && { code })
  })
}

/** The body of an error response, or of an error chunk that ends a stream. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}

export function errorBody({ statusCode, message, param, code }: EndpointError): ErrorBody {
  return { error: { message, type: typeOf(statusCode), param: param ?? null, code: code ?? null } }
}

function typeOf(statusCode: number): string {
  if (statusCode === 401 || statusCode === 403) return 'authentication_error'
  if (statusCode === 429) return 'rate_limit_error'
  return statusCode < 500 ? 'invalid_request_error' : 'server_error'
}

/** Headers that say whether and when to retry. */
export function retryHeaders({ retryAfterMs, passes }: EndpointError): Record<string, string> {
  return {
    ...(retryAfterMs !== undefined && {
      'retry-after': String(Math.ceil(retryAfterMs / 1_000)),
      'retry-after-ms': String(Math.ceil(retryAfterMs))
    }),
    ...(passes !== undefined && { 'x-should-retry': String(passes) })
  }
}

/** Default pause before a retry, milliseconds. */
const PAUSE_MS = 1_000

const REMOTE_STATUS: Readonly<Record<RemoteFault, readonly [status: number, passes?: boolean]>> = {
  unreachable: [502],
  busy: [429],
  changed: [503, true],
  refused: [502, false],
  garbage: [502, false]
}

/** Converts any error into one that clients may see. Messages of unexpected errors are not disclosed. */
export function asEndpointError(error: unknown): EndpointError {
  if (error instanceof EndpointError) return error
  if (error instanceof RemoteError) {
    const [status, passes] = REMOTE_STATUS[error.fault]
    return new EndpointError(status, `the remote: ${error.message}`, {
      cause: error,
      code: `remote_${error.fault}`,
      ...(status === 429 && { retryAfterMs: PAUSE_MS }),
      ...(passes !== undefined && { passes })
    })
  }
  if (error instanceof NotExactError)
    return new EndpointError(502, error.message, { cause: error, code: 'not_exact', passes: false })
  if (error instanceof ContextLengthError)
    return new EndpointError(400, error.message, { cause: error, code: 'context_length_exceeded' })
  if (error instanceof ServiceError)
    return new EndpointError(429, error.message, {
      cause: error,
      code: 'queue_full',
      retryAfterMs: error.retryAfterMs ?? PAUSE_MS
    })
  return new EndpointError(500, "internal server error: see the server's log", { cause: error })
}
