import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Home, roundFiles } from '../home.ts'
import type { JudgedRound } from '../round-store.ts'
import type { BlockStore } from '../store/index.ts'
import { wantedBlocks } from './shard-work.ts'

/** Blocks younger than this may belong to a manifest that is still on its way, milliseconds. */
const YOUNG_MS = 3_600_000

/** What a pruning removed. */
export interface Pruned {
  readonly blocks: number
  readonly files: number
}

/**
 * Rule 15 *Bounds*: removes what nobody is owed any more (`retain` rounds after the seal): blocks that no owed manifest
 * names, and the local shards and models of older rounds. Seals, cuts and manifests of all rounds stay, since
 * every catch-up begins with them, the stacks, of which an adapter is exported, and the model that the next round starts
 * from.
 *
 * @param sealed all sealed rounds of the home
 * @param inUse blocks of the round under way, hex
 * @param now milliseconds since the epoch
 */
export async function prune(
  home: Home,
  blocks: BlockStore,
  sealed: readonly JudgedRound[],
  inUse: ReadonlySet<string>,
  now: number
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
    if (await isYoung(join(home.blocks, digest), now)) continue
    await blocks.delete(digest)
    removedBlocks++
  }
  const startsFrom = sealed.findLast(({ sealedRound }) => sealedRound.seal.stack !== null)?.context.round
  let files = 0
  for (const judged of sealed.filter((one) => !isOwed(one) && one.context.round !== startsFrom)) {
    const { folder, local, model } = roundFiles(home, judged.context.round)
    const names = new Set(await readdir(folder))
    for (const path of [local, model]) {
      if (![...names].some((name) => join(folder, name) === path)) continue
      await rm(path, { force: true })
      files++
    }
  }
  return { blocks: removedBlocks, files }
}

async function isYoung(path: string, now: number): Promise<boolean> {
  try {
    return now - (await stat(path)).mtimeMs < YOUNG_MS
  } catch {
    return true
  }
}
