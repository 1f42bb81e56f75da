import { open } from 'node:fs/promises'
import { encodeText, fileStamp, KEPT_BACK_TARGETS_MIN } from '../../../data/index.ts'
import { decodeUtf8 } from '../../../formats/index.ts'
import { type CorpusReader, keptBackOf } from '../../../model/index.ts'
import type { HeldBase } from './held-base.ts'
import type { MeasuringJob } from './training-job.ts'

/** Text as tokens; where some are only read and not scored, `scored` says which. */
export interface MeasuredText {
  readonly ids: readonly number[]
  readonly scored?: readonly number[] | undefined
}

/** Number of tokens of a text that are scored: the first has nothing before it. */
export function targetsOf({ ids, scored }: MeasuredText): number {
  if (scored === undefined) return Math.max(0, ids.length - 1)
  return scored.reduce((count, weight, index) => (index > 0 && weight === 1 ? count + 1 : count), 0)
}

/** Reads the text that a job measures on; it is kept until the file changes. */
export type HeldOutReader = (
  job: Pick<MeasuringJob, 'text' | 'tokens' | 'baseFolder'>
) => Promise<MeasuredText>

/** A reader that has read nothing yet. */
export function createHeldOutReader(base: Pick<HeldBase, 'describe'>, corpora: CorpusReader): HeldOutReader {
  let read: { readonly key: string; readonly text: MeasuredText } | undefined

  const keptBackText = async (
    { documents, data, keptBack }: Extract<MeasuringJob['text'], { documents: string }>,
    { tokens, baseFolder }: Pick<MeasuringJob, 'tokens' | 'baseFolder'>
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

  return async (job) => {
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
