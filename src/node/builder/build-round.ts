import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  aggregationRule,
  decodeSafetensors,
  encodeSafetensors,
  modelDigest,
  type StackMember,
  stackDigest,
  type Tensor,
  updateNorm
} from '../../adapter/index.ts'
import { loadBaseModel } from '../../model/index.ts'
import { writeFileAtomic } from '../store/atomic-file.ts'
import type { BlockStore } from '../store/block-store.ts'
import type { BuildJob, Built } from './jobs.ts'
import { mergeModules } from './merge-modules.ts'
import type { MergeThreads } from './merge-threads.ts'
import { readAdapter } from './read-adapter.ts'

/**
 * Stacks a cut and merges it (FLoRA), writes `stack.safetensors` and `model.safetensors`, and gives their digests. The
 * result is a function of the cut and the model before alone.
 *
 * @throws {MissingBlocksError} when blocks are not there, or are damaged
 */
export async function buildRound(store: BlockStore, job: BuildJob, threads: MergeThreads): Promise<Built> {
  const members: StackMember[] = []
  for (const source of job.sources)
    members.push({
      author: source.author,
      samples: source.samples,
      adapter: await readAdapter(store, source)
    })
  const stack = aggregationRule(job.rule).aggregate(members, { rsLora: job.rankStabilised })
  const merged = await mergeModules(await readModules(job), stack, threads)
  const result = {
    type: 'built',
    stack: stackDigest(stack.tensors),
    model: modelDigest(merged.modules),
    medianNorms: medianNorms(members, job)
  } as const
  if (!stack.finite || !merged.finite) return { ...result, finite: false }
  await mkdir(dirname(job.stackPath), { recursive: true })
  await writeFileAtomic(job.stackPath, encodeSafetensors(stack.tensors))
  await writeFileAtomic(job.modelPath, encodeSafetensors(parameterMap(merged.modules)))
  return { ...result, finite: true }
}

function parameterMap(modules: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map([...modules].map(([module, weight]) => [`${module}.weight`, weight]))
}

async function readModules({ modelFile, baseFolder, modules }: BuildJob): Promise<Map<string, Tensor>> {
  const weights =
    modelFile === undefined
      ? loadBaseModel(baseFolder).weights
      : decodeSafetensors(await readFile(modelFile)).tensors
  return new Map(modules.map((module) => [module, weights.get(`${module}.weight`)!]))
}

function medianNorms(
  members: readonly StackMember[],
  { modules, rankStabilised }: BuildJob
): Record<string, number> {
  const medians: Record<string, number> = {}
  for (const module of modules) {
    const pairs = members.flatMap(({ adapter }) => adapter.pairs.filter((pair) => pair.module === module))
    const norms = pairs.map((pair) => updateNorm(pair, rankStabilised)).sort((left, right) => left - right)
    if (norms.length > 0) medians[module] = norms[Math.floor((norms.length - 1) / 2)]!
  }
  return medians
}
