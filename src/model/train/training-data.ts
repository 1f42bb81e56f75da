import { createHash } from 'node:crypto'
import {
  createExampleStream,
  type ExampleStream,
  type Packing,
  seededPermutation,
  type TokenizedExample
} from '../../data/index.ts'
import {
  type CorpusModel,
  type CorpusReader,
  type CorpusSettings,
  createCorpusReader
} from './corpus-reader.ts'
import { keptBackOf } from './kept-back.ts'

/** A stream number used by neither epochs nor orders of examples. */
const HELD_OUT_STREAM = 0x686f6c64

/** The data settings of a run. */
export interface TrainingDataOptions extends CorpusSettings, CorpusModel {
  /** File or folder. */
  readonly data: string
  /** If absent, plain text is packed across rows, and everything else in isolation. */
  readonly packing?: Packing | undefined
  readonly batchSize: number
  readonly sequenceLength: number
  /** Seed of the order of examples and of the held-out part. */
  readonly seed: number
  /** Share of the examples to hold out. */
  readonly heldOut?: number | undefined
  /** File or folder of held-out examples, in place of a share. */
  readonly evalData?: string | undefined
  /** Number of tokens to keep back from training, as chosen by `keepBack`. */
  readonly keptBack?: number | undefined
}

/** The data of a training run, ready to be fed. */
export interface TrainingData {
  readonly stream: ExampleStream
  readonly heldOut: ExampleStream | undefined
  readonly packing: Packing
  /** Number of examples trained on. */
  readonly examples: number
  readonly heldOutExamples: number
  readonly format: string
  /** Invalid records that were skipped. */
  readonly badRecords: number
  /** Notes on data that is not trained on, or not as its author may expect, as lines of text. */
  readonly notes: readonly string[]
  /** SHA-256 of all tokens and weights, trained and held out: identifies a checkpoint's data. */
  digest(): string
}

type Examples = readonly (readonly TokenizedExample[])[]

/**
 * Reads, tokenizes and packs the data of a run.
 *
 * @param reader caches what it has read for the next run
 * @throws {DataError} naming file and line of what does not fit
 * @throws {RangeError} when nothing is left to train on
 */
export async function loadTrainingData(
  options: TrainingDataOptions,
  reader: CorpusReader = createCorpusReader()
): Promise<TrainingData> {
  const { batchSize, sequenceLength, seed, data, evalData } = options
  const corpus = await reader.read(data, options, options)
  const { isText, format, badRecords, notes } = corpus
  const { keptBack } = options
  const examples = keptBack === undefined ? corpus.examples : keptBackOf(corpus, keptBack).train
  const other = evalData === undefined ? undefined : await reader.read(evalData, options, options)
  const { train, heldOut } = other ? { train: examples, heldOut: other.examples } : holdOut(examples, options)
  const packing = options.packing ?? (isText ? 'across' : 'isolated')
  const [trained, kept] = [train.flat(), heldOut.flat()]
  const shape = { packing, batchSize, sequenceLength, seed }
  return {
    stream: createExampleStream({ examples: trained, ...shape }),
    heldOut: kept.length > 0 ? createExampleStream({ examples: kept, ...shape }) : undefined,
    packing,
    examples: train.length,
    heldOutExamples: heldOut.length,
    format,
    badRecords: badRecords + (other?.badRecords ?? 0),
    notes: [...new Set([...notes, ...(other?.notes ?? [])])],
    digest: () => digestOf([...trained, ...kept])
  }
}

function holdOut(
  examples: Examples,
  { heldOut, seed }: Pick<TrainingDataOptions, 'heldOut' | 'seed'>
): { train: Examples; heldOut: Examples } {
  if (heldOut === undefined) return { train: examples, heldOut: [] }
  const count = Math.max(1, Math.round(examples.length * heldOut))
  if (count >= examples.length)
    throw new RangeError(`cannot hold out ${count} of ${examples.length} examples and still train`)
  const chosen = new Set(seededPermutation(examples.length, seed ^ HELD_OUT_STREAM).subarray(0, count))
  return {
    train: examples.filter((_, index) => !chosen.has(index)),
    heldOut: examples.filter((_, index) => chosen.has(index))
  }
}

function digestOf(examples: readonly TokenizedExample[]): string {
  const hash = createHash('sha256')
  for (const { ids, weights } of examples) {
    hash.update(new Uint8Array(Uint32Array.of(ids.length).buffer))
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)).update(weights)
  }
  return hash.digest('hex')
}
