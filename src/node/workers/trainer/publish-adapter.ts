import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  decodeAdapterFile,
  encodeAdapterFile,
  type LoraAdapter,
  sendAdapter
} from '../../../adapter/index.ts'
import { writeFileAtomic } from '../../storage/atomic-file.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import { messageOf } from '../../storage/peer-error.ts'
import type { TrainedShard, TrainingJob, TrainingResult } from './training-job.ts'

/** Stores an adapter's shards, and writes its files to the home. */
export async function publishAdapter(
  adapter: LoraAdapter,
  { samples, targets }: Pick<TrainingResult, 'samples' | 'targets'>,
  job: TrainingJob,
  store: BlockStore
): Promise<TrainingResult> {
  const residual = await readResidual(job.residualFile)
  const sent = sendAdapter(adapter, job.dtype, residual.adapter, job.rankStabilised)
  const shards: TrainedShard[] = []
  let totalBytes = 0
  for (const { blocks, byteLength, dtype: _dtype, ...description } of sent.shards) {
    for (const { digest, bytes } of blocks) await store.putVerified(digest, bytes)
    shards.push({ ...description, blocks: blocks.map(({ digest }) => digest) })
    totalBytes += byteLength
  }
  await store.flush(shards.flatMap(({ blocks }) => blocks))
  await mkdir(dirname(job.localPath), { recursive: true })
  if (sent.residual.pairs.length > 0) {
    await mkdir(dirname(job.residualPath), { recursive: true })
    await writeFileAtomic(job.residualPath, encodeAdapterFile({ adapter: sent.residual, samples }))
  }
  await writeFileAtomic(job.localPath, encodeAdapterFile({ adapter: sent.adapter, samples }))
  return { samples, targets, shards, totalBytes, residualFault: residual.fault }
}

/** The residual of the last stacked shards. A damaged file only costs one round's rounding, so it is not an error. */
async function readResidual(path: string | undefined): Promise<{ adapter?: LoraAdapter; fault?: string }> {
  if (path === undefined) return {}
  try {
    return { adapter: decodeAdapterFile(await readFile(path)).adapter }
  } catch (error) {
    return { fault: messageOf(error) }
  }
}
