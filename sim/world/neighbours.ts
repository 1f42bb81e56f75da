import { authorBudget, edgeBudgets } from '../../src/node/network/gossip/message-budget.ts'
import { INVALID_MESSAGES, SCORE_THRESHOLDS } from '../../src/node/network/gossip/score.ts'
import { BanList } from '../../src/node/network/limits/ban-list.ts'
import { TokenBuckets } from '../../src/node/network/limits/token-bucket.ts'
import { type Copy, isHonest } from '../consortium/copy.ts'
import type { World } from './world.ts'

/** What one copy has recorded about another. */
interface Invalid {
  count: number
  at: number
}

/** One copy's records of its neighbours. */
interface Opinion {
  readonly bans: BanList
  readonly invalid: Map<string, Invalid>
  /** Budgets for what each neighbour delivers per author, and for what is accepted per author. */
  readonly edges: TokenBuckets
  readonly authors: TokenBuckets
}

/**
 * Every copy's records of its connected peers: the peer limits with their bans, and gossipsub's score. Detects when an
 * honest member shuts out another.
 */
export class Neighbours {
  readonly #world: World
  readonly #opinions = new Map<Copy, Opinion>()

  constructor(world: World) {
    this.#world = world
  }

  /** Whether one copy still accepts another's gossip. */
  hears(copy: Copy, from: Copy): boolean {
    return this.areConnected(copy, from) && this.#score(copy, from) >= SCORE_THRESHOLDS.graylistThreshold
  }

  /** Whether neither has disconnected from the other. */
  areConnected(copy: Copy, other: Copy): boolean {
    return !this.#hasBanned(copy, other) && !this.#hasBanned(other, copy)
  }

  /**
   * A copy received something from another that no honest peer forwards. @param isGossip whether it came by gossip,
   * which keeps a score too
   */
  reject(copy: Copy, from: Copy, isGossip: boolean, what: string): void {
    if (isGossip) {
      const { invalid } = this.#opinionOf(copy)
      invalid.set(from.name, { count: this.#countOf(copy, from) + 1, at: this.#world.queue.now })
      if (this.#score(copy, from) < SCORE_THRESHOLDS.graylistThreshold) this.#shutsOut(copy, from, what)
    }
    this.blame(copy, from, what)
  }

  /** Whether a copy looks at one more message by an author from this neighbour. */
  mayBring(copy: Copy, from: Copy, author: Copy): boolean {
    const isTaken = this.#opinionOf(copy).edges.take(`${from.name} ${author.person}`, this.#world.queue.now)
    return isTaken || this.#drops(copy, author, from)
  }

  /** Whether a copy accepts one more message of an author, after verifying its signature. */
  maySay(copy: Copy, author: Copy): boolean {
    const isTaken = this.#opinionOf(copy).authors.take(`${author.person}`, this.#world.queue.now)
    return isTaken || this.#drops(copy, author, author)
  }

  #drops(copy: Copy, author: Copy, from: Copy): false {
    if (isHonest(copy) && isHonest(author) && isHonest(from))
      this.#world.watch.note('shut-out', `${copy.name} drops a message of honest ${author.name}: too many`)
    return false
  }

  /** A copy charges another with an invalid message. */
  blame(copy: Copy, offender: Copy, what: string): void {
    const ban = this.#opinionOf(copy).bans.note(offender.name, 'false', this.#world.queue.now)
    if (ban !== undefined) this.#shutsOut(copy, offender, what)
  }

  #shutsOut(copy: Copy, other: Copy, what: string): void {
    if (isHonest(copy) && isHonest(other))
      this.#world.watch.note('shut-out', `${copy.name} shuts out honest ${other.name}: ${what}`)
  }

  #hasBanned(copy: Copy, other: Copy): boolean {
    return this.#opinionOf(copy).bans.isBanned(other.name, this.#world.queue.now)
  }

  #countOf(copy: Copy, from: Copy): number {
    const known = this.#opinionOf(copy).invalid.get(from.name)
    if (known === undefined) return 0
    return known.count * INVALID_MESSAGES.decay ** Math.floor((this.#world.queue.now - known.at) / 1000)
  }

  #score(copy: Copy, from: Copy): number {
    return INVALID_MESSAGES.weight * this.#countOf(copy, from) ** 2
  }

  #opinionOf(copy: Copy): Opinion {
    const known = this.#opinions.get(copy)
    if (known !== undefined) return known
    const trainers = () => copy.context.trainers.length
    const opinion = {
      bans: new BanList(),
      invalid: new Map<string, Invalid>(),
      edges: edgeBudgets(trainers),
      authors: new TokenBuckets(() => authorBudget(trainers()))
    }
    this.#opinions.set(copy, opinion)
    return opinion
  }
}
