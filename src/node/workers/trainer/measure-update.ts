import { open } from 'node:fs/promises'
import type { LoraPair } from '../../../adapter/index.ts'
import { encodeText, fileStamp } from '../../../data/index.ts'
import { chooseExecutor, createUpdateEvaluator, type UpdateEvaluator } from '../../../model/index.ts'
import type { HeldOutLoss } from '../../../protocol/index.ts'
import type { BlockStore } from '../../storage/block-store.ts'
import { readPair, shardMemory } from '../builder/read-pair.ts'
import type { HeldBase } from './held-base.ts'
import type { MeasuringJob } from './training-job.ts'

/** State kept between measurements: the compiled graph and the text's tokens. */
export interface MeasuringSession {
  /**
   * The held-out loss without and with one received update. May run concurrently with the round's training.
   *
   * @throws {Error} when blocks are missing, the text cannot be read, or the weights meanwhile belong to another round
   * @throws the signal's reason, when it aborts
   */
  measure(job: MeasuringJob, store: BlockStore, signal: AbortSignal): Promise<HeldOutLoss>
}

/** A session without a compiled graph yet. */
export function createMeasuringSession(base: HeldBase): MeasuringSession {
  let made: { readonly key: string; readonly evaluator: UpdateEvaluator } | undefined
  let read: { readonly key: string; readonly ids: readonly number[] } | undefined

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

  const idsOf = async ({ text, tokens, baseFolder }: MeasuringJob): Promise<readonly number[]> => {
    const key = JSON.stringify([await fileStamp([text]), tokens, baseFolder])
    if (read?.key !== key) {
      const { tokenizer } = base.describe(baseFolder)
      const ids = encodeText(tokenizer, await beginningOf(text, tokens * BYTES_A_TOKEN))
      read = { key, ids: ids.slice(0, tokens + 1) }
    }
    return read.ids
  }

  return {
    async measure(job, store, signal) {
      // Before any await: a later round's training, with its own weights, may start meanwhile.
      const weights = base.weights(job)
      const check = () => {
        signal.throwIfAborted()
        if (!base.holds(job)) throw new Error('the round is over')
      }
      const ids = await idsOf(job)
      const pairs = await pairsOf(job, store)
      const evaluator = await evaluatorFor(job)
      const before = job.before ?? (await evaluator.loss({ weights, ids, check }))
      return { before, after: await evaluator.loss({ weights, ids, update: { pairs }, check }) }
    }
  }
}

/** More than the bytes per token of text in any language; little is read beyond the tokens that count. */
const BYTES_A_TOKEN = 16

/** At most `bytes` bytes of a text file, without an incomplete character at the end. */
async function beginningOf(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'r')
  try {
    const buffer = new Uint8Array(bytes)
    const { bytesRead } = await file.read(buffer, 0, bytes, 0)
    return new TextDecoder().decode(buffer.subarray(0, bytesRead), { stream: true })
  } finally {
    await file.close()
  }
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
