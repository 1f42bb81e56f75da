import { createHash } from 'node:crypto'
import {
  createExampleStream,
  type ExampleStream,
  type Packing,
  readExamples,
  seededPermutation,
  type TextTokenizer,
  type TokenizedExample,
  type TrainingExample,
  tokenizeExample
} from '../data/index.ts'
import { loadChatTemplate } from '../model/index.ts'
import type { TrainSettings } from './train-settings.ts'

/** A stream number that neither epochs nor examples' orders have. */
const HELD_OUT_STREAM = 0x686f6c64

/** What a training run reads, ready to be fed. */
export interface TrainingData {
  readonly stream: ExampleStream
  readonly heldOut: ExampleStream | undefined
  readonly packing: Packing
  /** Examples that are trained on. */
  readonly examples: number
  readonly heldOutExamples: number
  readonly format: string
  /** SHA-256 of all tokens and weights, trained and held out: whether a checkpoint is of the same data. */
  readonly digest: string
}

/**
 * Reads, tokenizes and packs the data of a run.
 *
 * @throws {DataError} naming file and line of what does not fit
 * @throws {RangeError} when nothing is left to train on
 */
export async function loadTrainingData(
  settings: TrainSettings,
  folder: string,
  tokenizer: TextTokenizer,
  sequenceLength: number
): Promise<TrainingData> {
  const { format, template, batchSize, seed } = settings
  const options = { ...(format && { format }), ...(template && { template }) }
  const { examples, format: found } = await readExamples(settings.data, options)
  const other =
    settings.evalData === undefined ? undefined : (await readExamples(settings.evalData, options)).examples
  const { train, heldOut } = other ? { train: examples, heldOut: other } : holdOut(examples, settings)
  const renderChat = loadChatTemplate(folder, settings.chatTemplate)
  const tokenize = (chosen: readonly TrainingExample[]): TokenizedExample[] =>
    chosen.flatMap((example) =>
      tokenizeExample(example, { tokenizer, loss: settings.loss, ...(renderChat && { renderChat }) })
    )
  const packing =
    settings.packing ?? (examples.every(({ content }) => content.kind === 'text') ? 'across' : 'isolated')
  const [trained, kept] = [tokenize(train), tokenize(heldOut)]
  const shape = { packing, batchSize, sequenceLength, seed }
  return {
    stream: createExampleStream({ examples: trained, ...shape }),
    heldOut: kept.length > 0 ? createExampleStream({ examples: kept, ...shape }) : undefined,
    packing,
    examples: train.length,
    heldOutExamples: heldOut.length,
    format: found,
    digest: digestOf([...trained, ...kept])
  }
}

function holdOut(
  examples: readonly TrainingExample[],
  { heldOut, seed }: TrainSettings
): { train: readonly TrainingExample[]; heldOut: readonly TrainingExample[] } {
  if (heldOut === undefined) return { train: examples, heldOut: [] }
  const count = Math.max(1, Math.round(examples.length * heldOut))
  if (count >= examples.length)
    throw new RangeError(`cannot hold ${count} of ${examples.length} examples out and still train`)
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
