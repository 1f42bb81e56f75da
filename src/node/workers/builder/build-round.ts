import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipe } from 'it-pipe'
import { BlockListHash, blockListDigest, safetensorsChunks, stackDigest } from '../../../formats/index.ts'
import { openBaseWeights, openModuleWeights } from '../../../model/index.ts'
import { writeFileAtomic } from '../../storage/atomic-file.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import type { BuildJob, Built } from './jobs.ts'
import { mergedModelChunks, NotFiniteError } from './merge-model.ts'
import type { MergeThreads } from './merge-threads.ts'
import { stackCut } from './stack-cut.ts'

/**
 * Stacks a cut and merges it (FLoRA), writes `stack.safetensors` and `model.safetensors`, and returns their digests.
 * The result depends on the cut and the previous model only. Memory holds the stack, one module's shards and a piece of
 * one weight.
 *
 * @throws {MissingBlocksError} when blocks are missing or damaged
 */
export async function buildRound(store: BlockStore, job: BuildJob, threads: MergeThreads): Promise<Built> {
  const { medianNorms, leftOut, ...stack } = await stackCut(store, job)
  if (!stack.finite) return { type: 'built', finite: false, leftOut }
  const weights =
    job.modelFile === undefined ? openBaseWeights(job.baseFolder) : openModuleWeights(job.modelFile)
  try {
    await mkdir(dirname(job.modelPath), { recursive: true })
    const hash = new BlockListHash()
    await pipe(
      mergedModelChunks(weights, job.modules, stack.adapter, threads),
      (chunks) => hashed(chunks, hash),
      (chunks) => writeFileAtomic(job.modelPath, chunks)
    )
    await writeFileAtomic(job.stackPath, safetensorsChunks(stack.tensors))
    const list = hash.list()
    const model = Buffer.from(blockListDigest(list)).toString('hex')
    const modelFile = { path: job.modelPath, bytes: hash.bytes, list }
    const stackFile = stackDigest(stack.tensors)
    return { type: 'built', finite: true, stack: stackFile, model, modelFile, medianNorms, leftOut }
  } catch (error) {
    if (error instanceof NotFiniteError) return { type: 'built', finite: false, leftOut }
    throw error
  } finally {
    weights.close()
  }
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  hash: BlockListHash
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}
