import { ContextLengthError } from '../../model/index.ts'
import { RemoteError, type RemoteFault } from '../remotes/remote.ts'
import { ServiceError } from '../server/service-error.ts'
import { NotExactError } from '../session/options.ts'

/** What an error says beside its message, as OpenAI's servers have it. */
export interface EndpointErrorOptions extends ErrorOptions {
  /** The request's key that is to blame. */
  readonly param?: string
  readonly code?: string
  /** When to try again, milliseconds. */
  readonly retryAfterMs?: number
  /** Whether the same request may succeed later; clients are told so only where the status alone says something else. */
  readonly passes?: boolean
}

/** A request that is not served, or a text that ended in its middle. */
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

/** A request that cannot be honoured: 400, naming the key. */
export function refusal(param: string | undefined, message: string, code?: string): EndpointError {
  return new EndpointError(400, message, {
    ...(param !== undefined && { param }),
    ...(code !== undefined && { code })
  })
}

/** The body of an error's answer, or of a chunk that ends a stream. */
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

/** Headers that say when and whether to try again. */
export function retryHeaders({ retryAfterMs, passes }: EndpointError): Record<string, string> {
  return {
    ...(retryAfterMs !== undefined && {
      'retry-after': String(Math.ceil(retryAfterMs / 1_000)),
      'retry-after-ms': String(Math.ceil(retryAfterMs))
    }),
    ...(passes !== undefined && { 'x-should-retry': String(passes) })
  }
}

/** Pause before another attempt where nobody says how long, milliseconds. */
const PAUSE_MS = 1_000

const REMOTE_STATUS: Readonly<Record<RemoteFault, readonly [status: number, passes?: boolean]>> = {
  unreachable: [502],
  busy: [429],
  changed: [503, true],
  refused: [502, false],
  garbage: [502, false]
}

/** Any error as one that clients are told of; what nobody foresaw keeps its message to itself. */
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
  return new EndpointError(500, 'the server failed to answer: its log says why', { cause: error })
}
