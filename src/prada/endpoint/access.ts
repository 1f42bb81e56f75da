import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { FastifyRequest } from 'fastify'
import { EndpointError } from './endpoint-error.ts'

/** Authorisation of clients, and the client that a request counts towards. */
export interface Access {
  /** @throws {EndpointError} 401 or 403 */
  check(request: FastifyRequest): void
  /**
   * The client whose turns and limits a request counts towards: identified by its key, or by its address if there are
   * no keys.
   */
  clientOf(request: FastifyRequest): string
}

/** @param keys API keys, one of which clients must present; if empty, no key is required */
export function createAccess(keys: readonly string[]): Access {
  const digests = keys.map(digest)
  const placeOf = ({ headers }: FastifyRequest): number => {
    const given = digest(/^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '')
    // All keys are compared, so that the timing reveals nothing.
    return digests.map((known) => timingSafeEqual(known, given)).indexOf(true)
  }
  return {
    check(request) {
      if (digests.length > 0) {
        if (placeOf(request) >= 0) return
        throw new EndpointError(401, 'an API key is required: authorization: Bearer KEY', {
          code: 'invalid_api_key'
        })
      }
      if (!isOwnName(request.headers.host))
        throw new EndpointError(
          403,
          'the host header names an unknown host: use an IP address or localhost, or start the server with --api-key'
        )
    },
    clientOf: (request) => (digests.length > 0 ? `key ${placeOf(request)}` : request.ip)
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/**
 * Whether a `host` header is a name that only this machine can have. Otherwise a web page could point its own name here
 * (DNS rebinding) and send requests from its viewer's browser. Addresses, names without a dot and this machine's name
 * are safe.
 */
function isOwnName(host: string | undefined): boolean {
  const name = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(host ?? '')?.[1]?.toLowerCase()
  if (name === undefined || name === '') return false
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true
  return /^[a-z0-9_-]+$/.test(name) || hostname().toLowerCase() === name
}
