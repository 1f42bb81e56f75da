import { readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isRetained } from '../../protocol/index.ts'
import { wantedBlocks } from '../driver/shard-work.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { RoundStore } from '../home/round-store.ts'
import type { BlockStore } from '../storage/index.ts'

/** Options of a pruning. */
export interface PruneTerms {
  /** Blocks of the current round, hex. */
  readonly inUse: ReadonlySet<string>
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Age below which a block may belong to a manifest that has not arrived yet, milliseconds. */
  readonly keepYoungMs: number
  /** Number of rounds whose stacks are kept; undefined for all. */
  readonly keepStacks: number | undefined
}

/** What a pruning removed. */
export interface Pruned {
  readonly blocks: number
  readonly files: number
}

/** The sealed rounds as needed for pruning. */
export type SealedRounds = Pick<RoundStore, 'head' | 'owed' | 'modelRound'>

/**
 * Rule 15 *Bounds*: removes what is no longer owed to others (`retain` rounds after the seal): blocks that no retained
 * manifest names, and the local shards and models of older rounds. It keeps the seals, cuts and manifests of all
 * rounds, since every catch-up starts with them, the model and the norms that the next round needs, and the stacks,
 * from which adapters are exported, unless their number is limited.
 */
export async function prune(
  home: Home,
  blocks: BlockStore,
  sealed: SealedRounds,
  { inUse, now, keepYoungMs, keepStacks = Number.POSITIVE_INFINITY }: PruneTerms
): Promise<Pruned> {
  const { charter, round: next } = sealed.head
  const isOwed = (round: number) => isRetained(round, next, charter.retain)
  const owed = new Set<string>()
  for await (const { context, sealedRound } of sealed.owed()) {
    if (!isOwed(context.round)) continue
    for (const { body } of sealedRound.manifests)
      for (const { digest } of wantedBlocks(body)) owed.add(digest)
  }
  let removedBlocks = 0
  for (const digest of await blocks.list()) {
    if (owed.has(digest) || inUse.has(digest)) continue
    if (await isYoung(join(home.blocks, digest), now - keepYoungMs)) continue
    await blocks.delete(digest)
    removedBlocks++
  }
  let files = 0
  for (const round of await roundsOnDisk(home)) {
    if (round === sealed.modelRound || round >= next) continue
    const { folder, local, model, stack, norms } = roundFiles(home, round)
    const unwanted = [
      ...(isOwed(round) ? [] : [local, model]),
      ...(round >= next - keepStacks ? [] : [stack, norms])
    ]
    if (unwanted.length === 0) continue
    const names = new Set(await readdir(folder))
    for (const path of unwanted) {
      if (!names.has(basename(path))) continue
      await rm(path, { force: true })
      files++
    }
  }
  return { blocks: removedBlocks, files }
}

async function roundsOnDisk(home: Home): Promise<number[]> {
  return (await readdir(home.rounds)).filter((name) => /^\d+$/.test(name)).map(Number)
}

async function isYoung(path: string, since: number): Promise<boolean> {
  try {
    return (await stat(path)).mtimeMs > since
  } catch {
    return true
  }
}
