import { createHash, timingSafeEqual } from 'node:crypto'

/** Whether an `authorization` header carries the token; takes equally long for whatever it carries. */
export function hasToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? ''
  return timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Names under which this machine reaches itself. */
const OWN_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Whether a `host` header names this machine. A web page whose name an attacker has made to point here (DNS rebinding)
 * sends its own name.
 */
export function isOwnHost(host: string | undefined): boolean {
  const name = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(host ?? '')?.[1]
  return name !== undefined && OWN_NAMES.has(name.toLowerCase())
}
