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

/** Ending of files that are kept for a person to look at, and that nothing reads. */
const WRONG_ENDING = '.wrong'

/** A round in which this peer built something else than what was sealed. */
export interface Deviation {
  readonly context: RoundContext
  readonly sealedRound: SealedRound
}

/** Puts away what a build wrote that is not what was sealed; a person may want to know what it was. */
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
 * Rule 8 *Attest*: gets the model that the round starts from after a build that was not the sealed one. What is on the
 * disk is not believed: if the model before is whole, the cut is stacked and merged once more, in case a read, the memory
 * or the disk failed; else, and where that fails too, another member's merged modules are fetched. All of it is held
 * against the sealed digest.
 *
 * @returns the event that the protocol waits for
 * @throws when nobody who is connected has the model
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

/** Stacks and merges the cut of the deviation once more, from a model whose digest is looked at first. */
async function stackAgain(
  components: DriverComponents,
  { context, sealedRound }: Deviation
): Promise<boolean> {
  const { home, builder, exchange, log } = components
  const before = modelFileBefore(home, context.round)
  if (before !== undefined && !(await isModel(before, context.modelDigest))) {
    log.warn({ file: before }, 'the model that the build began from is damaged')
    await setAside(before)
    return false
  }
  if (sealedRound.seal.stack === null) return false
  const { round } = context
  const result = await builder.build(buildJob(components, context, sealedRound.manifests, before))
  if (result.type === 'built' && result.finite && result.model === hex(sealedRound.seal.model)) {
    await saveNorms(home, round, result.medianNorms)
    exchange.serveFile(result.modelFile)
    log.info({ round, model: result.model }, 'stacked again, with the sealed digest')
    return true
  }
  await setAsideBuild(home, round)
  log.warn({ round }, 'stacked again, and it is not what was sealed')
  return false
}

async function isModel(path: string, digest: Uint8Array): Promise<boolean> {
  return existsSync(path) && equalBytes(blockListDigest((await readBlockList(path)).list), digest)
}
