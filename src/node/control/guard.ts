import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { hostname } from 'node:os'

/** Whether an `authorization` header carries the token, in constant time. */
export function hasToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? ''
  return timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Names of the loopback interface. */
const OWN_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Whether a `host` header names this machine. With DNS rebinding a web page reaches this server, but sends its own
 * name.
 */
export function isOwnHost(host: string | undefined): boolean {
  const name = nameIn(host)
  return name !== undefined && OWN_NAMES.has(name)
}

/**
 * Whether monitoring may ask for metrics under this `host` header: an IP address, this machine's name, a name without a
 * dot, or one listed in the settings. Any other name may be an attacker's (DNS rebinding); addresses and names without
 * a dot cannot be.
 *
 * @param listed names of `metrics.hosts`
 */
export function isMetricsHost(host: string | undefined, listed: readonly string[]): boolean {
  const name = nameIn(host)
  if (name === undefined || name === '') return false
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true
  return /^[a-z0-9_-]+$/.test(name) || [hostname(), ...listed].some((own) => own.toLowerCase() === name)
}

/** The name in a `host` header, in lower case, without the port; undefined if there is none. */
function nameIn(host: string | undefined): string | undefined {
  return /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(host ?? '')?.[1]?.toLowerCase()
}
