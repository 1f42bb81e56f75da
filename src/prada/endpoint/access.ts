import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { FastifyRequest } from 'fastify'
import { EndpointError } from './endpoint-error.ts'

/** Who may ask, and as whom a request counts. */
export interface Access {
  /** @throws {EndpointError} 401 or 403 */
  check(request: FastifyRequest): void
  /** The client whose turns and limits a request counts towards: its key's, else its address's. */
  clientOf(request: FastifyRequest): string
}

/** @param keys API keys, one of which clients must show; any or none will do where there are none */
export function createAccess(keys: readonly string[]): Access {
  const digests = keys.map(digest)
  const placeOf = ({ headers }: FastifyRequest): number => {
    const given = digest(/^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '')
    // All are compared, so that the time tells nothing.
    return digests.map((known) => timingSafeEqual(known, given)).indexOf(true)
  }
  return {
    check(request) {
      if (digests.length > 0) {
        if (placeOf(request) >= 0) return
        throw new EndpointError(401, 'a key is needed: authorization: Bearer KEY', {
          code: 'invalid_api_key'
        })
      }
      if (!isOwnName(request.headers.host))
        throw new EndpointError(
          403,
          'the host header names an unknown host: ask by IP address or localhost, or start the server with --api-key'
        )
    },
    clientOf: (request) => (digests.length > 0 ? `key ${placeOf(request)}` : request.ip)
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/**
 * Whether a `host` header is a name that only this machine can have. A web page could otherwise point its own name here
 * (DNS rebinding) and ask as the person who views it. Addresses, names without a dot and this
 * machine's name are safe.
 */
function isOwnName(host: string | undefined): boolean {
  const name = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(host ?? '')?.[1]?.toLowerCase()
  if (name === undefined || name === '') return false
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true
  return /^[a-z0-9_-]+$/.test(name) || hostname().toLowerCase() === name
}
