import { setTimeout as sleep } from 'node:timers/promises'
import type { RoundDriver } from '../driver/round-driver.ts'
import type { Log } from '../log/log.ts'
import type { SeenCopy } from '../network/peers/copy-watch.ts'
import { copyAdvice } from '../network/peers/instance.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { Telling } from './running.ts'

/** How often a peer that is held back looks whether enough members have answered: its round may have other members. */
const LOOK_MS = 1_000
/** The younger copy stays this long, so that all members can see that there were two. */
const LINGER_MS = 2_000

/**
 * Rule 17: lets a peer sign once f + 1 other members, and so an honest one, have answered that they know of no other copy of
 * it, and ends the younger of two copies.
 */
export class OnlyCopy {
  readonly #driver: RoundDriver
  readonly #log: Log
  readonly #report: Telling['report']
  /** Members that know of no other copy. */
  readonly #answered = new Set<string>()
  readonly #stopped = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #ends = false

  constructor(driver: RoundDriver, log: Log, report: Telling['report']) {
    this.#driver = driver
    this.#log = log
    this.#report = report
  }

  start(): void {
    this.#look()
    if (this.#driver.state.heldBack) this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  stop(): void {
    this.#stopped.abort()
    clearInterval(this.#timer)
  }

  /** A member told of no other copy of this peer. */
  alone(peerId: string): void {
    this.#answered.add(peerId)
    this.#look()
  }

  /** Two copies of this peer, or of another, are running. */
  copied({ peerId, isOwn, isYounger }: SeenCopy): void {
    if (!isOwn) {
      this.#log.warn({ peer: peerId }, 'two copies of a member are running: its lab has to stop one of them')
      this.#report({ type: 'copied', peerId, isOwn })
      return
    }
    if (!isYounger) {
      this.#log.error(
        { peer: peerId },
        'another copy of this peer is running: it was started later, and stops. Find out where, and remove it'
      )
      this.#report({ type: 'copied', peerId, isOwn })
      return
    }
    if (!this.#ends) void this.#end(peerId)
  }

  async #end(peerId: string): Promise<void> {
    this.#ends = true
    const stops = copyAdvice(peerId)
    this.#log.error({ peer: peerId }, stops)
    await this.#driver.stop()
    await sleep(LINGER_MS, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
    this.#report({ type: 'copied', peerId, isOwn: true, stops })
  }

  #look(): void {
    const { context, self, heldBack } = this.#driver.state
    if (!heldBack || this.#ends) {
      clearInterval(this.#timer)
      return
    }
    const others = context.voters.filter((index) => index !== self)
    const answered = others.filter((index) => this.#answered.has(peerIdText(context.members[index]!.peer)))
    if (answered.length < Math.min(context.faulty + 1, others.length)) return
    clearInterval(this.#timer)
    this.#log.debug({ members: answered.length }, 'no other copy of this peer is known: it signs from now on')
    this.#driver.happen({ type: 'released' })
  }
}
