import { peerIdFromMultihash } from '@libp2p/peer-id'
import { decode } from 'multiformats/hashes/digest'
import {
  decodeEnvelope,
  type EarlyEnvelopes,
  type Envelope,
  equalBytes,
  hex,
  type Judgement,
  judge,
  MalformedError,
  type PeerEvent,
  type RoundContext,
  withEarly
} from '../../protocol/index.ts'
import type { DriverComponents } from './components.ts'

/** The verdict on an envelope from outside, and its event for the round if it is useful. */
export interface CheckedEnvelope {
  /**
   * `accept`: forwarded. `fault`: dropped, and counted against its author. `reject`: dropped, and counted against the
   * peer that forwarded it.
   */
  readonly verdict: Exclude<Judgement['verdict'], 'early'>
  readonly event?: PeerEvent
}

/**
 * The envelope check at the edge of the peer. Faults of a message count against the key that signed it; the peer that
 * forwarded it is only charged for what no peer forwards in any round.
 */
export class EnvelopeCheck {
  readonly #components: Pick<DriverComponents, 'environment' | 'host' | 'log'>
  #round = 0
  /** What the protocol keeps for the next round once it handles these envelopes: nothing else is forwarded. */
  #early: EarlyEnvelopes = new Map()
  /** Authors logged in this round; each is logged once, or a faulty member could fill the log. */
  #named = new Set<string>()

  constructor(components: Pick<DriverComponents, 'environment' | 'host' | 'log'>) {
    this.#components = components
  }

  /**
   * Checks an envelope.
   *
   * @param from the peer that forwarded it, for the log
   */
  check(context: RoundContext, bytes: Uint8Array, from: string): CheckedEnvelope {
    if (context.round !== this.#round) {
      this.#round = context.round
      this.#early = new Map()
      this.#named = new Set()
    }
    try {
      const envelope = decodeEnvelope(bytes)
      const judgement = judge(context, envelope, this.#components.environment.verify)
      switch (judgement.verdict) {
        case 'accept':
          return { verdict: 'accept', event: { type: 'message', message: judgement.message } }
        case 'early':
          return this.#keepEarly(envelope.header.author, bytes)
        case 'fault':
          this.#blame(envelope.header, judgement.reason)
          return { verdict: 'fault' }
        case 'reject':
          this.#components.log.warn({ from, reason: judgement.reason }, 'a message was rejected')
          return { verdict: 'reject' }
        case 'ignore':
          return { verdict: 'ignore' }
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      this.#components.log.warn({ from, reason: error.message }, 'a message was rejected')
      return { verdict: 'reject' }
    }
  }

  #keepEarly(author: Uint8Array, bytes: Uint8Array): CheckedEnvelope {
    const kept = withEarly(this.#early, author, bytes)
    if (kept === this.#early) return { verdict: 'ignore' }
    this.#early = kept
    return { verdict: 'accept', event: { type: 'early', author, bytes } }
  }

  #blame({ author, kind, round }: Envelope['header'], reason: string): void {
    const { environment, host, log } = this.#components
    if (equalBytes(author, environment.signer.peer)) return
    const peerId = peerIdFromMultihash(decode(author))
    host.limits.report(peerId, 'false', `signed a ${kind} that ${reason}`)
    if (this.#named.has(hex(author))) return
    this.#named.add(hex(author))
    const fields = { peer: peerId.toString(), kind, round, reason }
    log.warn(fields, 'protocol violation by a member: it signed an invalid message')
  }
}
