import { existsSync } from 'node:fs'
import { memberWeights } from '../../protocol/index.ts'
import { saveNorms } from '../driver/norm-bounds.ts'
import { sourceOf } from '../driver/shard-work.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { JudgedRound, RoundStore } from '../home/round-store.ts'
import type { Log } from '../log/log.ts'
import type { BlockStore } from '../storage/block-store.ts'
import { messageOf } from '../storage/peer-error.ts'
import { stackCut } from '../workers/builder/stack-cut.ts'

/**
 * The median norms of a round's cut by module, computed from its blocks.
 *
 * @throws {MissingBlocksError} naming every missing or damaged block
 */
export async function roundNorms(
  store: BlockStore,
  { context, sealedRound }: JudgedRound
): Promise<Readonly<Record<string, number>>> {
  const { charter } = context
  const { medianNorms } = await stackCut(store, {
    sources: sealedRound.manifests.map((manifest) => sourceOf(context, manifest)),
    modules: charter.base.modules.map(({ module }) => module),
    shapes: Object.fromEntries(charter.base.modules.map((each) => [each.module, each])),
    rankStabilised: charter.rankStabilised,
    weights: memberWeights(context),
    clip: charter.clip ?? 'none',
    normCap: charter.norm.absolute
  })
  return medianNorms
}

/**
 * Computes the norms of retained rounds again whose file was damaged and moved aside, from the rounds' blocks. Where
 * blocks are missing, earlier rounds bound the next updates instead.
 */
export async function restoreNorms(
  home: Home,
  rounds: RoundStore,
  store: BlockStore,
  log: Pick<Log, 'info' | 'warn'>
): Promise<void> {
  for await (const judged of rounds.owed()) {
    const { round } = judged.context
    const { norms: path } = roundFiles(home, round)
    if (judged.sealedRound.seal.stack === null || existsSync(path) || !existsSync(`${path}.damaged`)) continue
    try {
      await saveNorms(home, round, await roundNorms(store, judged))
      log.info({ round, path }, 'the norms of a round were computed again from its blocks')
    } catch (error) {
      log.warn({ round, path, error: messageOf(error) }, 'the norms of a round cannot be computed again')
    }
  }
}
