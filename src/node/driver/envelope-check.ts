import { peerIdFromMultihash } from '@libp2p/peer-id'
import { decode } from 'multiformats/hashes/digest'
import {
  afterFault,
  decodeEnvelope,
  type EarlyEnvelopes,
  type Envelope,
  equalBytes,
  hex,
  isOutrun,
  type Judgement,
  judge,
  MalformedError,
  type PeerEvent,
  type PeerState,
  withEarly
} from '../../protocol/index.ts'
import { answerBudget, authorBudget, ExcessLog } from '../network/gossip/message-budget.ts'
import { TokenBuckets } from '../network/limits/token-bucket.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { DriverComponents } from './components.ts'

/** The verdict on an envelope from outside, and its event for the round if it is useful. */
export interface CheckedEnvelope {
  /**
   * `accept`: forwarded. `fault`: dropped, and counted against its author. `reject`: dropped, and counted against the
   * peer that forwarded it.
   */
  readonly verdict: Exclude<Judgement['verdict'], 'early'>
  readonly event?: PeerEvent | undefined
}

/** What an envelope is checked against. */
type CheckedState = Pick<PeerState, 'context' | 'messages' | 'view'>

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
  #trainers = 0
  readonly #budgets = new TokenBuckets(() => authorBudget(this.#trainers))
  readonly #answers = new TokenBuckets(() => answerBudget(this.#trainers))
  readonly #excess: ExcessLog
  readonly #now: () => number

  /** @param now milliseconds of a clock that does not go backwards */
  constructor(
    components: Pick<DriverComponents, 'environment' | 'host' | 'log'>,
    now = () => performance.now()
  ) {
    this.#components = components
    this.#now = now
    this.#excess = new ExcessLog(components.log)
  }

  /**
   * Checks an envelope.
   *
   * @param from the peer that forwarded it, for the log
   * @param way answers to sync have a budget of their own, since a peer that comes back to a long round needs all of it
   */
  check(state: CheckedState, bytes: Uint8Array, from: string, way: 'gossip' | 'sync'): CheckedEnvelope {
    const { context } = state
    if (context.round !== this.#round) {
      this.#round = context.round
      this.#trainers = context.trainers.length
      this.#early = new Map()
      this.#named = new Set()
    }
    try {
      const envelope = decodeEnvelope(bytes)
      if (this.#isUseless(state, envelope)) return { verdict: 'ignore' }
      // The rest of such an answer is not looked at.
      if (way === 'sync' && !this.#mayAnswer(envelope, from)) return { verdict: 'fault' }
      if (way === 'gossip' && this.#isSpent(envelope, from)) return { verdict: 'ignore' }
      const judgement = judge(context, envelope, this.#components.environment.verify)
      if (way === 'gossip' && this.#exceedsBudget(judgement, envelope, from)) return { verdict: 'ignore' }
      switch (judgement.verdict) {
        case 'accept':
          return { verdict: 'accept', event: { type: 'message', message: judgement.message } }
        case 'early':
          return this.#keepEarly(envelope.header.author, bytes)
        case 'fault':
          this.#blame(envelope.header, judgement.reason)
          return { verdict: 'fault', event: afterFault(state, envelope.header) }
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

  /** Whether nothing could come of an envelope, so that its signature is not worth checking. */
  #isUseless(state: CheckedState, { header, bytes }: Envelope): boolean {
    if (isOutrun(state, header)) return true
    return (
      header.round === state.context.round + 1 && withEarly(this.#early, header.author, bytes) === this.#early
    )
  }

  /** Whether a member may give one more message of this author in its answers to sync. */
  #mayAnswer({ header: { author } }: Envelope, from: string): boolean {
    const now = this.#now()
    if (this.#answers.take(`${from} ${hex(author)}`, now)) return true
    this.#excess.note(peerIdText(author), from, now)
    return false
  }

  /**
   * Whether an author has used up its budget, with messages whose signatures were valid: more would be dropped after
   * theirs are verified, so these are not.
   */
  #isSpent({ header: { author } }: Envelope, from: string): boolean {
    const now = this.#now()
    if (this.#budgets.has(hex(author), now)) return false
    this.#excess.note(peerIdText(author), from, now)
    return true
  }

  /** Whether the author of a validly signed envelope has sent more than a round can need: it is not forwarded, either. */
  #exceedsBudget({ verdict }: Judgement, { header: { author } }: Envelope, from: string): boolean {
    if (verdict === 'reject' || verdict === 'ignore') return false
    const now = this.#now()
    if (this.#budgets.take(hex(author), now)) return false
    this.#excess.note(peerIdText(author), from, now)
    return true
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
