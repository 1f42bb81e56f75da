import type { DriverComponents } from '../driver/components.ts'
import { wantedBlocks } from '../driver/shard-work.ts'
import type { WantedBlock } from '../network/index.ts'
import type { BlockStore } from '../storage/index.ts'
import { messageOf } from '../storage/peer-error.ts'

/**
 * Reads every block that this peer must serve (the last `retain` sealed rounds) once after a start, and fetches damaged
 * or missing ones again (rule 1 *Endorse once*: endorsers serve).
 */
export async function scrubBlocks(
  { exchange, host, log, rounds }: DriverComponents,
  store: BlockStore,
  signal: AbortSignal
): Promise<void> {
  try {
    const missing = new Map<string, WantedBlock>()
    for await (const { sealedRound } of rounds.owed())
      for (const block of sealedRound.manifests.flatMap(({ body }) => wantedBlocks(body))) {
        if (signal.aborted) return
        if ((await store.get(block.digest)) === undefined) missing.set(block.digest, block)
      }
    if (missing.size === 0) return
    log.warn({ blocks: missing.size }, 'fetching damaged or missing blocks of sealed rounds again')
    // All at once: a block that nobody has any more must not delay the others.
    await exchange.fetchAll([...missing.values()], () => host.peers(), { signal })
    log.info({ blocks: missing.size }, 'all blocks of sealed rounds are complete again')
  } catch (error) {
    if (!signal.aborted)
      log.error({ error: messageOf(error) }, 'blocks of sealed rounds could not be repaired')
  }
}
