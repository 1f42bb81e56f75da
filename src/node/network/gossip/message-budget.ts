import type { Log } from '../../log/log.ts'
import { type RateLimit, TokenBuckets } from '../limits/token-bucket.ts'

/**
 * How many messages by one author a peer accepts from gossip. In a round, an author sends an endorsement for every trainer,
 * about ten more messages, and at most three per view; a burst lasts for several rounds, and sync delivers the rest.
 *
 * @param trainers of a round
 */
export function authorBudget(trainers: number): RateLimit {
  return { burst: 128 + 4 * trainers, perSecond: 16 + trainers / 8 }
}

/** How many messages by one author a peer accepts from one member's sync responses: it may lack those of many views. */
export function answerBudget(trainers: number): RateLimit {
  return { burst: 512 + 4 * trainers, perSecond: 64 }
}

/** A neighbour may deliver this multiple: forwarding everything allowed must not count as sending too much. */
const EDGE_FACTOR = 2
/** Maximum number of authors remembered by the log. */
const AUTHORS_MAX = 65_536
/** Minimum time between two log lines about an author, milliseconds. */
const NAMED_EVERY_MS = 60_000

/** Budgets for the messages by one author from one neighbour. */
export function edgeBudgets(trainers: () => number): TokenBuckets {
  return new TokenBuckets(() => {
    const { burst, perSecond } = authorBudget(trainers())
    return { burst: EDGE_FACTOR * burst, perSecond: EDGE_FACTOR * perSecond }
  })
}

/** Logs the authors that send more than a round can need, each at most once a minute. */
export class ExcessLog {
  readonly #log: Log
  readonly #named = new Map<string, { at: number; dropped: number }>()

  constructor(log: Log) {
    this.#log = log
  }

  /** @param author PeerId of the claimed author of the dropped message, whose signature was not verified */
  note(author: string, from: string, now: number): void {
    const known = this.#named.get(author)
    if (known !== undefined && now - known.at < NAMED_EVERY_MS) {
      known.dropped++
      return
    }
    if (this.#named.size >= AUTHORS_MAX) this.#named.clear()
    this.#named.set(author, { at: now, dropped: 0 })
    this.#log.warn(
      { peer: author, from, droppedBefore: known?.dropped ?? 0 },
      'a member sends more messages than a round can need; the excess is dropped'
    )
  }
}
