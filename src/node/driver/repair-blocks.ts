import type { SignedCharter } from '../../protocol/index.ts'
import { messageOf } from '../errors.ts'
import { readSealedRounds } from '../round-store.ts'
import type { BlockStore } from '../store/index.ts'
import type { DriverComponents } from './components.ts'
import { wantedBlocks } from './shard-work.ts'

/**
 * Reads every block that this peer owes others (the last `retain` sealed rounds) once after a start, and fetches those
 * that were damaged or lost meanwhile (rule 1 *Endorse once*: endorsers serve).
 */
export async function repairBlocks(
  { home, fetchBlocks, host, log }: DriverComponents,
  store: BlockStore,
  charter: SignedCharter,
  signal: AbortSignal
): Promise<void> {
  try {
    const sealed = await readSealedRounds(home, charter)
    for (const { sealedRound, context } of sealed.slice(-charter.charter.retain)) {
      for (const { body } of sealedRound.manifests) {
        const missing = []
        for (const block of wantedBlocks(body)) {
          if ((await store.get(block.digest)) === undefined) missing.push(block)
          if (signal.aborted) return
        }
        if (missing.length === 0) continue
        log.warn(
          { round: context.round, blocks: missing.length },
          'blocks of a sealed round are fetched again'
        )
        await fetchBlocks(missing, () => host.peers(), signal)
      }
    }
  } catch (error) {
    if (!signal.aborted)
      log.error({ error: messageOf(error) }, 'blocks of sealed rounds could not be repaired')
  }
}
