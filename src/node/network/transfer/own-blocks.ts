/** What an author remembers of one of its blocks. */
interface OwnBlock {
  sent: number
  sentAt: number
  /** How often each asker was sent away. */
  readonly refusals: Map<string, number>
}

/** How long a first receiver may take until it tells that it has a block, milliseconds. */
const SETTLE_MS = 3_000
const RETRY_AFTER_MS = 250
/** After so many refusals an asker gets the block: it may reach nobody else. */
const REFUSALS_MAX = 5
/** Manifests whose blocks are spared: the current one and the one before. */
const MANIFESTS_KEPT = 2

/**
 * Spares an author's line: each of its blocks is sent once, and whoever asks for it after that is sent away for a moment,
 * because it can have it from those who got it first. Who comes back often enough is served all the same.
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
   * Whether an asker is sent away.
   *
   * @param others how many peers other than the asker have told that they hold it
   * @param now milliseconds of a clock that does not go backwards
   * @returns what to wait before asking again, milliseconds; undefined where the block is to be sent, which is counted
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
