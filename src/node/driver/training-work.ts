import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import {
  documentSeed,
  hex,
  type Manifest,
  memberIndex,
  type PeerEvent,
  type RoundContext,
  trainingSeed
} from '../../protocol/index.ts'
import { alphaOf } from '../config/index.ts'
import { roundFiles } from '../home/home.ts'
import { PeerError } from '../storage/peer-error.ts'
import type { TrainingProgress, TrainingResult } from '../workers/trainer/training-job.ts'
import type { DriverComponents } from './components.ts'
import { keptBackTokens } from './held-out-text.ts'
import { requireModelFile } from './model-checkpoint.ts'
import { wantedBlocks } from './shard-work.ts'

/** Share of the time to gather manifests in which a training should end: its shards are sent in the rest. */
const DUE = 0.8

/** Trains this peer's adapter of a round and announces it; returns the event that the protocol waits for. */
export async function trainRound(
  components: DriverComponents,
  context: RoundContext,
  onProgress: (progress: TrainingProgress) => void,
  signal: AbortSignal
): Promise<PeerEvent> {
  const { home, identity, config, rounds, trainer, log } = components
  const { peer } = identity.signer
  if (config.documents === undefined)
    throw new PeerError('no training documents configured (documents in peer.json, --data)')
  await requireModelFile(components, context, signal)
  const residualFile = await residualBefore(components, context)
  const result = await trainer.train(
    {
      round: context.round,
      baseFolder: config.model,
      modelFile: rounds.modelFile,
      documents: config.documents,
      data: config.data,
      keptBack: keptBackTokens(config, home),
      modules: context.charter.base.modules.map(({ module }) => module),
      rank: config.adapter.rank,
      alpha: alphaOf(config.adapter),
      rankStabilised: context.charter.rankStabilised,
      training: config.training,
      seed: trainingSeed(context, peer),
      documentSeed: documentSeed(context, peer),
      firstStep: (context.round - 1) * config.training.steps,
      home: home.folder,
      localPath: roundFiles(home, context.round).local,
      dtype: context.charter.dtype,
      residualFile,
      residualPath: roundFiles(home, context.round).residual,
      external:
        config.trainer === undefined
          ? undefined
          : { trainer: config.trainer, deadline: Date.now() + DUE * context.charter.timeouts.gatherMs }
    },
    onProgress,
    signal
  )
  if (result.residualFault !== undefined)
    log.warn(
      { file: residualFile, reason: result.residualFault },
      'the residual of the last shards is not applied'
    )
  if (result.fallback !== undefined)
    log.warn({ reason: result.fallback }, 'training without the native engine')
  if (result.trainer !== undefined) log.info({ ...result.trainer }, 'trained by an external trainer')
  for (const note of result.notes ?? []) log.info({ note }, 'training data')
  const manifest = manifestOf(components, context, result)
  components.exchange.publish(wantedBlocks(manifest).map(({ digest }) => digest))
  return { type: 'trained', round: context.round, manifest }
}

/**
 * The residual of this peer's shards in the last round that stacked them. A void round, or one without them, stacked
 * nothing: the earlier residual still applies. Older files are removed.
 */
async function residualBefore(
  { home, rounds, identity }: DriverComponents,
  { round, charter }: RoundContext
): Promise<string | undefined> {
  const last = rounds.lastStacked(identity.signer.peer)
  if (last === undefined || charter.dtype === 'f32') return undefined
  for (let old = round - 1; old > 0 && old >= round - charter.retain; old--)
    if (old !== last) await rm(roundFiles(home, old).residual, { force: true })
  const { residual } = roundFiles(home, last)
  return existsSync(residual) ? residual : undefined
}

function manifestOf(
  { identity }: DriverComponents,
  context: RoundContext,
  { samples, targets, shards, totalBytes }: TrainingResult
): Manifest {
  const { anchor } = context.members[memberIndex(context, identity.signer.peer)]!
  const reveal = identity.revealChain.before(anchor)
  if (reveal === undefined)
    throw new PeerError(
      `the reveal chain of this identity does not contain ${hex(anchor)}: it is exhausted, or not the one in the charter`
    )
  return {
    samples: Math.min(context.charter.weights === 'documents' ? samples : targets, context.charter.sampleCap),
    dtype: context.charter.dtype,
    shards: shards.map((shard) => ({
      ...shard,
      blocks: shard.blocks.map((digest) => Buffer.from(digest, 'hex'))
    })),
    totalBytes,
    reveal
  }
}
