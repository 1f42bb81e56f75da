import { blocksOf, hex, messagesOf } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import type { RoundDriver } from '../driver/round-driver.ts'
import type { Home } from '../home/home.ts'
import type { RoundStore } from '../home/round-store.ts'
import type { BlockStore, Log } from '../storage/index.ts'
import { messageOf } from '../storage/peer-error.ts'
import { growHeapWithTraffic } from '../upkeep/heap-growth.ts'
import { prune } from '../upkeep/prune.ts'
import { scrubBlocks } from '../upkeep/scrub-blocks.ts'
import type { DriverParts } from './rounds.ts'
import type { Running } from './running.ts'

/** Scrubs the retained blocks once, prunes periodically, and adapts heap growth to the traffic. */
export function startUpkeep(
  { options: { home, logs, ownsProcess }, config, member: { rounds }, started }: Running,
  { components, driver }: DriverParts,
  blocks: BlockStore
): void {
  const repair = new AbortController()
  started.push(async () => repair.abort())
  if (ownsProcess) {
    const endGrowth = growHeapWithTraffic(components.host.traffic)
    started.push(async () => endGrowth())
  }
  void scrubBlocks(components, blocks, repair.signal)
  let isPruning = false
  const pruneNow = async () => {
    // Only one pruning at a time on a slow disk.
    if (isPruning) return
    isPruning = true
    await pruneHome(home, config, rounds, blocks, driver, logs.of('blocks'))
    isPruning = false
  }
  void pruneNow()
  const pruning = setInterval(pruneNow, config.storage.pruneEvery * 1_000)
  started.push(async () => clearInterval(pruning))
}

/** Removes what no member needs any more. */
async function pruneHome(
  home: Home,
  { storage }: PeerConfig,
  rounds: RoundStore,
  blocks: BlockStore,
  { state }: RoundDriver,
  log: Log
): Promise<void> {
  try {
    const inUse = new Set(messagesOf(state, 'manifest', 0).flatMap(({ body }) => blocksOf(body).map(hex)))
    const pruned = await prune(home, blocks, rounds, {
      inUse,
      now: Date.now(),
      keepYoungMs: storage.keepYoung * 1_000,
      keepStacks: storage.keepStacks
    })
    if (pruned.blocks + pruned.files > 0) log.info({ ...pruned }, 'pruned old rounds')
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'pruning old rounds failed')
  }
}
