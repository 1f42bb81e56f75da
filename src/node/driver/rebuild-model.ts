import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { blockListDigest, readBlockList } from '../../formats/index.ts'
import { equalBytes, hex, type PeerEvent, type RoundContext, type SealedRound } from '../../protocol/index.ts'
import { type Home, roundFiles } from '../home/home.ts'
import { modelFileBefore } from '../home/round-store.ts'
import { isMissing, messageOf } from '../storage/peer-error.ts'
import type { DriverComponents } from './components.ts'
import { requireModelFile } from './model-checkpoint.ts'
import { saveNorms } from './norm-bounds.ts'
import { buildJob } from './shard-work.ts'

/** Extension of files that are kept for inspection and never read. */
const WRONG_ENDING = '.wrong'

/** A round in which this peer's build differs from the seal. */
export interface Deviation {
  readonly context: RoundContext
  readonly sealedRound: SealedRound
}

/** Moves a build that differs from the seal aside, for inspection. */
export async function setAsideBuild(home: Home, round: number): Promise<void> {
  const { stack, model, norms } = roundFiles(home, round)
  for (const path of [stack, model, norms]) await setAside(path)
}

async function setAside(path: string): Promise<void> {
  try {
    await rename(path, `${path}${WRONG_ENDING}`)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/**
 * Rule 8 *Attest*: restores the model that the round starts from after this peer's build diverged from the seal. The
 * disk is not trusted: if the previous model is intact, the cut is stacked and merged again, in case a read, the memory
 * or the disk failed; otherwise, or if that fails too, another member's merged modules are fetched. Every result is
 * checked against the sealed digest.
 *
 * @returns the event that the protocol waits for
 * @throws when no connected member has the model
 */
export async function rebuildModel(
  components: DriverComponents,
  context: RoundContext,
  deviation: Deviation | undefined,
  signal: AbortSignal
): Promise<PeerEvent> {
  const { log, rounds } = components
  const done = { type: 'rebuilt', model: context.modelDigest } as const
  const { modelFile } = rounds
  if (modelFile === undefined) return done
  if (await isModel(modelFile, context.modelDigest)) return done
  await setAside(modelFile)
  if (deviation?.context.round === context.round - 1) {
    try {
      if (await stackAgain(components, deviation)) return done
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'the sealed cut cannot be stacked again')
    }
  }
  signal.throwIfAborted()
  await requireModelFile(components, context, signal)
  return done
}

/** Stacks and merges the diverged cut again, from a model whose digest is checked first. */
async function stackAgain(
  components: DriverComponents,
  { context, sealedRound }: Deviation
): Promise<boolean> {
  const { home, builder, exchange, log } = components
  const before = modelFileBefore(home, context.round)
  if (before !== undefined && !(await isModel(before, context.modelDigest))) {
    log.warn({ file: before }, 'the model that the build started from is damaged')
    await setAside(before)
    return false
  }
  if (sealedRound.seal.stack === null) return false
  const { round } = context
  const result = await builder.build(buildJob(components, context, sealedRound.manifests, before))
  if (result.type === 'built' && result.finite && result.model === hex(sealedRound.seal.model)) {
    await saveNorms(home, round, result.medianNorms)
    exchange.serveFile(result.modelFile)
    log.info({ round, model: result.model }, 'rebuilt with the sealed digest')
    return true
  }
  await setAsideBuild(home, round)
  log.warn({ round }, 'rebuilt, but the digest still differs from the seal')
  return false
}

async function isModel(path: string, digest: Uint8Array): Promise<boolean> {
  return existsSync(path) && equalBytes(blockListDigest((await readBlockList(path)).list), digest)
}
