import { readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isRetained } from '../../protocol/index.ts'
import { wantedBlocks } from '../driver/shard-work.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { RoundStore } from '../home/round-store.ts'
import type { BlockStore } from '../storage/index.ts'

/** What a pruning goes by. */
export interface PruneTerms {
  /** Blocks of the round under way, hex. */
  readonly inUse: ReadonlySet<string>
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Blocks younger than this may belong to a manifest that is still on its way, milliseconds. */
  readonly keepYoungMs: number
  /** Rounds whose stacks stay; undefined for all. */
  readonly keepStacks: number | undefined
}

/** What a pruning removed. */
export interface Pruned {
  readonly blocks: number
  readonly files: number
}

/** What a pruning knows of the sealed rounds. */
export type SealedRounds = Pick<RoundStore, 'head' | 'owed' | 'modelRound'>

/**
 * Rule 15 *Bounds*: removes what nobody is owed any more (`retain` rounds after the seal): blocks that no owed manifest
 * names, and the local shards and models of older rounds. Seals, cuts and manifests of all rounds stay, since
 * every catch-up begins with them, the model that the next round starts from and the norms that it is judged by, and the
 * stacks, of which an adapter is exported, unless only so many are to be kept.
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
