import { z } from 'zod'
import {
  byteString,
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  MalformedError
} from '../../../protocol/index.ts'
import type { Log } from '../../log/log.ts'
import { messageOf } from '../../storage/peer-error.ts'
import type { NetworkNode } from '../core/network-host.ts'
import { isMalformed, registerRequestHandler, request } from '../requests/request-response.ts'

/** Protocol by which members exchange members' addresses. */
export const ADDRESSES_PROTOCOL = '/loam/addresses/1'

const INTERVAL_MS = 5_000
const AFTER_CONNECT_MS = 500
const TIMEOUT_MS = 5_000
const ANSWER_BYTES_MAX = 256 * 1024
const answerSchema = z.strictObject({
  version: z.literal(1),
  addresses: z.array(z.string().max(512)).max(2048)
})
const requestSchema = z.strictObject({ version: z.literal(1), charter: byteString(32) })
const LIMITS = {
  maxRequestBytes: 1024,
  maxResponseBytes: ANSWER_BYTES_MAX,
  timeoutMs: TIMEOUT_MS,
  concurrency: 2,
  rate: { burst: 10, perSecond: 2 },
  openToRelays: true
}

/** Options of the address exchange. */
export interface AddressExchangeParts {
  readonly host: NetworkNode
  readonly log: Log
}

/**
 * Makes one bootstrap address sufficient: members ask each other, and relays, for members' addresses and dial new ones.
 * An address is only a hint; the connection's handshake proves the identity.
 */
export class AddressExchange {
  readonly #parts: AddressExchangeParts
  readonly #charter: Uint8Array | undefined
  readonly #stopped = new AbortController()
  #unregister: (() => Promise<void>) | undefined
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #turn = 0

  /** @param charter id of the consortium; a relay that does not know it answers every admitted peer, and asks nobody */
  constructor(parts: AddressExchangeParts, charter: Uint8Array | undefined) {
    this.#parts = parts
    this.#charter = charter
  }

  async start(): Promise<void> {
    const { host, log } = this.#parts
    const answer = async (bytes: Uint8Array) => {
      const { charter } = decodeCanonical(bytes, requestSchema, LIMITS.maxRequestBytes)
      if (this.#charter !== undefined && !equalBytes(charter, this.#charter))
        throw new MalformedError('a request for another consortium')
      const addresses = [...new Set([...host.multiaddrs(), ...host.knownAddresses()])]
      return encodeCanonical({ version: 1, addresses: addresses.slice(0, 2048) })
    }
    this.#unregister = await registerRequestHandler(host, ADDRESSES_PROTOCOL, answer, LIMITS, log)
    if (this.#charter === undefined) return
    host.libp2p.addEventListener('peer:connect', this.#onConnect)
    this.#schedule(INTERVAL_MS)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    this.#parts.host.libp2p.removeEventListener('peer:connect', this.#onConnect)
    await this.#unregister?.()
    await this.#running
  }

  /** A new neighbour may know somebody new. */
  #onConnect = () => this.#schedule(AFTER_CONNECT_MS)

  #schedule(milliseconds: number): void {
    if (this.#stopped.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#running = this.#ask()
    }, milliseconds)
  }

  async #ask(): Promise<void> {
    const { host, log } = this.#parts
    const peers = host.libp2p.getPeers()
    const peer = peers[this.#turn++ % Math.max(peers.length, 1)]
    try {
      if (peer !== undefined && this.#charter !== undefined) {
        const asked = encodeCanonical({ version: 1, charter: this.#charter })
        const options = {
          timeoutMs: TIMEOUT_MS,
          maxResponseBytes: ANSWER_BYTES_MAX,
          signal: this.#stopped.signal
        }
        const answer = await request(host, peer, ADDRESSES_PROTOCOL, asked, options)
        host.addAddresses(decodeCanonical(answer, answerSchema, ANSWER_BYTES_MAX).addresses)
      }
    } catch (error) {
      if (peer !== undefined && isMalformed(error)) host.limits.report(peer, 'malformed', 'addresses')
      log.debug({ peer: String(peer), error: messageOf(error) }, 'an address request failed')
    }
    this.#schedule(INTERVAL_MS)
  }
}
