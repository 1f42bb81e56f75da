import { readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Home, roundFiles } from '../home.ts'
import type { JudgedRound } from '../round-store.ts'
import type { BlockStore } from '../store/index.ts'
import { wantedBlocks } from './shard-work.ts'

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

/**
 * Rule 15 *Bounds*: removes what nobody is owed any more (`retain` rounds after the seal): blocks that no owed manifest
 * names, and the local shards and models of older rounds. Seals, cuts and manifests of all rounds stay, since
 * every catch-up begins with them, the model that the next round starts from and the norms that it is judged by, and the
 * stacks, of which an adapter is exported, unless only so many are to be kept.
 *
 * @param sealed all sealed rounds of the home
 */
export async function prune(
  home: Home,
  blocks: BlockStore,
  sealed: readonly JudgedRound[],
  { inUse, now, keepYoungMs, keepStacks = Number.POSITIVE_INFINITY }: PruneTerms
): Promise<Pruned> {
  const head = sealed.at(-1)
  if (head === undefined) return { blocks: 0, files: 0 }
  const { charter, rules, round } = head.context
  const isOwed = ({ context }: JudgedRound) => rules.isOwed(context.round, round + 1, charter.retain)
  const owed = new Set(
    sealed
      .filter(isOwed)
      .flatMap(({ sealedRound }) => sealedRound.manifests.flatMap(({ body }) => wantedBlocks(body)))
      .map(({ digest }) => digest)
  )
  let removedBlocks = 0
  for (const digest of await blocks.list()) {
    if (owed.has(digest) || inUse.has(digest)) continue
    if (await isYoung(join(home.blocks, digest), now - keepYoungMs)) continue
    await blocks.delete(digest)
    removedBlocks++
  }
  const startsFrom = sealed.findLast(({ sealedRound }) => sealedRound.seal.stack !== null)?.context.round
  let files = 0
  for (const judged of sealed) {
    if (judged.context.round === startsFrom) continue
    const { folder, local, model, stack, norms } = roundFiles(home, judged.context.round)
    const unwanted = [
      ...(isOwed(judged) ? [] : [local, model]),
      ...(judged.context.round > round - keepStacks ? [] : [stack, norms])
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

async function isYoung(path: string, since: number): Promise<boolean> {
  try {
    return (await stat(path)).mtimeMs > since
  } catch {
    return true
  }
}
