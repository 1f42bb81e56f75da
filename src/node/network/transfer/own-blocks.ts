/** What an author remembers about one of its blocks. */
interface OwnBlock {
  sent: number
  sentAt: number
  /** Number of refusals per asker. */
  readonly refusals: Map<string, number>
}

/** Time that a first receiver may need to announce a block, milliseconds. */
const SETTLE_MS = 3_000
const RETRY_AFTER_MS = 250
/** Number of refusals after which an asker gets the block, since it may reach nobody else. */
const REFUSALS_MAX = 5
/** Number of manifests whose blocks are tracked: the current one and the one before. */
const MANIFESTS_KEPT = 2

/**
 * Spares an author's upload: each of its blocks is sent once, and later askers are refused for a moment, because they
 * can get it from the first receivers. An asker that returns often enough is served anyway.
 */
export class OwnBlocks {
  readonly #manifests: Map<string, OwnBlock>[] = []

  /** Remembers the blocks of this peer's newest manifest. */
  publish(digests: readonly string[]): void {
    this.#manifests.push(
      new Map(digests.map((digest) => [digest, { sent: 0, sentAt: 0, refusals: new Map() }]))
    )
    if (this.#manifests.length > MANIFESTS_KEPT) this.#manifests.shift()
  }

  /**
   * Whether an asker is refused.
   *
   * @param others number of other peers that have announced the block
   * @param now milliseconds of a clock that does not go backwards
   * @returns the delay before asking again, milliseconds; undefined if the block should be sent, which is counted
   */
  refusal(digest: string, asker: string, others: number, now: number): number | undefined {
    const block = this.#manifests.find((blocks) => blocks.has(digest))?.get(digest)
    if (block === undefined) return undefined
    const refusals = block.refusals.get(asker) ?? 0
    const isSettling = block.sent > 0 && now - block.sentAt < SETTLE_MS
    if (refusals < REFUSALS_MAX && (others > 0 || isSettling)) {
      block.refusals.set(asker, refusals + 1)
      return RETRY_AFTER_MS * 2 ** refusals
    }
    block.sent++
    block.sentAt = now
    return undefined
  }
}
