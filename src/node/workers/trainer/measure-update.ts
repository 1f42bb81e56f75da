import { clipAdapter, type LoraAdapter, type LoraPair } from '../../../adapter/index.ts'
import { chooseExecutor, createUpdateEvaluator, type UpdateEvaluator } from '../../../model/index.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import { readPair, shardMemory } from '../builder/read-pair.ts'
import type { HeldBase } from './held-base.ts'
import { type HeldOutReader, targetsOf } from './held-out-reader.ts'
import type { MeasuredLoss, MeasuringJob } from './training-job.ts'

/** State kept between measurements: the compiled graph and the text's tokens. */
export interface MeasuringSession {
  /**
   * The held-out loss without and with one update. May run concurrently with the round's training.
   *
   * @throws {Error} when blocks are missing, the text cannot be read, or the weights meanwhile belong to another round
   * @throws the signal's reason, when it aborts
   */
  measure(job: MeasuringJob, store: BlockStore, signal: AbortSignal): Promise<MeasuredLoss>
}

/** A session without a compiled graph yet. */
export function createMeasuringSession(base: HeldBase, readText: HeldOutReader): MeasuringSession {
  let made: { readonly key: string; readonly evaluator: UpdateEvaluator } | undefined

  const evaluatorFor = async (job: MeasuringJob): Promise<UpdateEvaluator> => {
    const { baseFolder, modules, rankStabilised } = job
    const { baseFormat, threads, executor, device } = job.training
    const key = JSON.stringify([baseFolder, modules, rankStabilised, baseFormat, threads, executor, device])
    if (made?.key !== key) {
      const before = made
      made = undefined
      await before?.evaluator.dispose()
      const chosen = await chooseExecutor({ executor, device, threads })
      const { config } = base.describe(baseFolder)
      const options = { config, baseFormat, modules, rsLora: rankStabilised, executor: chosen }
      made = { key, evaluator: createUpdateEvaluator(options) }
    }
    return made.evaluator
  }

  return {
    async measure(job, store, signal) {
      // Before any await: a later round's training, with its own weights, may start meanwhile.
      const weights = base.weights(job)
      const check = () => {
        signal.throwIfAborted()
        if (!base.holds(job)) throw new Error('the round is over')
      }
      const text = await readText(job)
      const targets = targetsOf(text)
      const update = await clippedUpdate(job, store)
      const evaluator = await evaluatorFor(job)
      const before = job.before ?? (await evaluator.loss({ weights, ...text, check }))
      const after =
        job.shards.length === 0 ? before : await evaluator.loss({ weights, ...text, update, check })
      // Weights that were replaced during the last run of the graph are another round's.
      check()
      return { before, after, targets }
    }
  }
}

/**
 * A received update of the size that the stack would give it, as far as that is known.
 *
 * @throws {Error} when blocks are missing
 */
export async function clippedUpdate(job: MeasuringJob, store: BlockStore): Promise<LoraAdapter> {
  const { clip, rankStabilised } = job
  const bound = (module: string) => clip[module] || Number.POSITIVE_INFINITY
  return clipAdapter({ pairs: await pairsOf(job, store) }, bound, rankStabilised)
}

async function pairsOf({ shards, dtype }: MeasuringJob, store: BlockStore): Promise<LoraPair[]> {
  const missing: string[] = []
  const pairs: LoraPair[] = []
  for (const shard of shards) {
    const pair = await readPair(store, shard, dtype, missing, shardMemory())
    if (pair !== undefined) pairs.push(pair)
  }
  if (missing.length > 0) throw new Error(`${missing.length} blocks are missing`)
  return pairs
}
