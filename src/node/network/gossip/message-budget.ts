import type { Log } from '../../log/log.ts'
import type { RateLimit } from '../limits/token-bucket.ts'

/**
 * How many messages of one author a peer takes by gossip. A round needs of it an endorsement for every trainer and about ten
 * more, and at most three for every view; a burst lasts for several rounds, and the rest comes by sync.
 *
 * @param trainers of a round
 */
export function authorBudget(trainers: number): RateLimit {
  return { burst: 128 + 4 * trainers, perSecond: 16 + trainers / 8 }
}

/** How many messages of one author a peer takes from one member in answers to sync: it may lack those of many views. */
export function answerBudget(trainers: number): RateLimit {
  return { burst: 512 + 4 * trainers, perSecond: 64 }
}

/** What comes from one neighbour may be as much again: who forwards all that it may must not be one who sends too much. */
const EDGE_FACTOR = 2
/** Buckets remembered; the one that was used least recently is forgotten first. */
const BUCKETS_MAX = 65_536
/** How often one author is worth a line in the log, milliseconds. */
const NAMED_EVERY_MS = 60_000

/** A share of a bucket whose size may change: as the consortium grows, a round needs more messages. */
interface Bucket {
  /** What is left, 0 to 1. */
  share: number
  at: number
}

/** Token buckets by key, all of a size that is asked for anew each time. */
export class MessageBudgets {
  readonly #limit: () => RateLimit
  readonly #buckets = new Map<string, Bucket>()

  constructor(limit: () => RateLimit) {
    this.#limit = limit
  }

  /** Takes one message from a bucket. @returns whether there was one left */
  take(key: string, now: number): boolean {
    const { burst, perSecond } = this.#limit()
    const bucket = this.#buckets.get(key) ?? { share: 1, at: now }
    const share = Math.min(1, bucket.share + ((now - bucket.at) / 1_000) * (perSecond / burst))
    // Shares are fractions: the last message of a bucket must not be lost to rounding.
    const isLeft = share > 0.999 / burst
    // Deleted and set again, so that the map stays ordered by last use.
    this.#buckets.delete(key)
    if (this.#buckets.size >= BUCKETS_MAX) this.#buckets.delete(this.#buckets.keys().next().value!)
    this.#buckets.set(key, { share: isLeft ? Math.max(0, share - 1 / burst) : share, at: now })
    return isLeft
  }
}

/** Budgets of what one neighbour brings of one author. */
export function edgeBudgets(trainers: () => number): MessageBudgets {
  return new MessageBudgets(() => {
    const { burst, perSecond } = authorBudget(trainers())
    return { burst: EDGE_FACTOR * burst, perSecond: EDGE_FACTOR * perSecond }
  })
}

/** Names in the log who sends more than a round can need, each once a minute. */
export class ExcessLog {
  readonly #log: Log
  readonly #named = new Map<string, { at: number; dropped: number }>()

  constructor(log: Log) {
    this.#log = log
  }

  /** @param author PeerId of who signed what was dropped, as far as is known without looking at the signature */
  note(author: string, from: string, now: number): void {
    const known = this.#named.get(author)
    if (known !== undefined && now - known.at < NAMED_EVERY_MS) {
      known.dropped++
      return
    }
    if (this.#named.size >= BUCKETS_MAX) this.#named.clear()
    this.#named.set(author, { at: now, dropped: 0 })
    this.#log.warn(
      { peer: author, from, droppedBefore: known?.dropped ?? 0 },
      'a member sends more messages than a round can need; the excess is dropped'
    )
  }
}
