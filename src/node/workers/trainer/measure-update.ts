import { open } from 'node:fs/promises'
import { clipAdapter, type LoraAdapter, type LoraPair } from '../../../adapter/index.ts'
import { encodeText, fileStamp, KEPT_BACK_TARGETS_MIN } from '../../../data/index.ts'
import { decodeUtf8 } from '../../../formats/index.ts'
import {
  type CorpusReader,
  chooseExecutor,
  createUpdateEvaluator,
  keptBackOf,
  type UpdateEvaluator
} from '../../../model/index.ts'
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

/** Text as tokens; where some are only read and not scored, `scored` says which. */
interface MeasuredText {
  readonly ids: readonly number[]
  readonly scored?: readonly number[] | undefined
}

/** A session without a compiled graph yet. */
export function createMeasuringSession(base: HeldBase, corpora: CorpusReader): MeasuringSession {
  let made: { readonly key: string; readonly evaluator: UpdateEvaluator } | undefined
  let read: { readonly key: string; readonly text: MeasuredText } | undefined

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

  const textOf = async (job: MeasuringJob): Promise<MeasuredText> => {
    const { text, tokens, baseFolder } = job
    if ('documents' in text) return keptBackText(text, job)
    const key = JSON.stringify([await fileStamp([text.file]), tokens, baseFolder])
    if (read?.key !== key) {
      const { tokenizer } = base.describe(baseFolder)
      const ids = encodeText(tokenizer, await beginningOf(text.file, tokens * BYTES_A_TOKEN))
      read = { key, text: { ids: ids.slice(0, tokens + 1) } }
    }
    return read.text
  }

  const keptBackText = async (
    { documents, data, keptBack }: Extract<MeasuringJob['text'], { documents: string }>,
    { tokens, baseFolder }: MeasuringJob
  ): Promise<MeasuredText> => {
    const { tokenizer } = base.describe(baseFolder)
    const corpus = await corpora.read(documents, data, { folder: baseFolder, tokenizer })
    const { kept } = keptBackOf(corpus, keptBack)
    if (kept.length === 0)
      throw new Error(
        `the training documents are too few to keep ${KEPT_BACK_TARGETS_MIN} tokens of them back: give a text with --held-out FILE`
      )
    // Prompts are read but not scored, and count towards what a measurement may take all the same.
    const flat = (list: (example: (typeof kept)[number]) => Iterable<number>) =>
      kept.flatMap((example) => [...list(example)]).slice(0, KEPT_BACK_ROOM * tokens + 1)
    return { ids: flat(({ ids }) => ids), scored: flat(({ weights }) => weights) }
  }

  return {
    async measure(job, store, signal) {
      // Before any await: a later round's training, with its own weights, may start meanwhile.
      const weights = base.weights(job)
      const check = () => {
        signal.throwIfAborted()
        if (!base.holds(job)) throw new Error('the round is over')
      }
      const text = await textOf(job)
      const update = clipped({ pairs: await pairsOf(job, store) }, job)
      const evaluator = await evaluatorFor(job)
      const before = job.before ?? (await evaluator.loss({ weights, ...text, check }))
      return { before, after: await evaluator.loss({ weights, ...text, update, check }) }
    }
  }
}

/** An update of the size that the stack would give it, as far as that is known. */
function clipped(update: LoraAdapter, { clip, rankStabilised }: MeasuringJob): LoraAdapter {
  return clipAdapter(update, (module) => clip[module] || Number.POSITIVE_INFINITY, rankStabilised)
}

/** Tokens that are read for each that counts, at most: long prompts must not make a measurement long. */
const KEPT_BACK_ROOM = 2

/** More than the bytes per token of text in any language; little is read beyond the tokens that count. */
const BYTES_A_TOKEN = 16

/** At most `bytes` bytes of a text file, without an incomplete character at the end. */
async function beginningOf(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'r')
  try {
    const buffer = new Uint8Array(bytes)
    const { bytesRead } = await file.read(buffer, 0, bytes, 0)
    const found = buffer.subarray(0, bytesRead)
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(found, { stream: true })
    } catch {
      // Says where.
      return decodeUtf8(found, path)
    }
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
