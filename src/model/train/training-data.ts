import { createHash } from 'node:crypto'
import {
  createExampleStream,
  type ExampleStream,
  type Packing,
  type RecordFormat,
  type RecordTemplate,
  readExamples,
  seededPermutation,
  type TextTokenizer,
  type TokenizedExample,
  type TrainingExample,
  tokenizeExample
} from '../../data/index.ts'
import { loadChatTemplate } from '../tokenizer/chat-template.ts'

/** A stream number that neither epochs nor examples' orders have. */
const HELD_OUT_STREAM = 0x686f6c64

/** How a run's data are understood. */
export interface DataSettings {
  /** What all records are; told by each file's first record where it is absent. */
  readonly format?: RecordFormat | undefined
  /** Makes text or prompt and completion of any record; goes before `format`. */
  readonly template?: RecordTemplate | undefined
  /** A named chat template or a file with one, in place of the model's own. */
  readonly chatTemplate?: string | undefined
  /** `completions`: prompts are read but not learned. */
  readonly loss: 'completions' | 'all'
  /** Where it is absent, text goes across rows, and everything else is laid out in isolation. */
  readonly packing?: Packing | undefined
}

/** What a run trains on. */
export interface TrainingDataOptions extends DataSettings {
  /** File or folder. */
  readonly data: string
  /** The base model's folder, for its chat template. */
  readonly folder: string
  readonly tokenizer: TextTokenizer
  readonly batchSize: number
  readonly sequenceLength: number
  /** Of the examples' order, and of what is held out. */
  readonly seed: number
  /** Share of the examples that is not trained on. */
  readonly heldOut?: number | undefined
  /** File or folder of examples that are not trained on, in place of a share. */
  readonly evalData?: string | undefined
}

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
export async function loadTrainingData(options: TrainingDataOptions): Promise<TrainingData> {
  const { batchSize, sequenceLength, seed } = options
  const { examples, format } = await readTrainingExamples(options.data, options)
  const other =
    options.evalData === undefined ? undefined : await readTrainingExamples(options.evalData, options)
  const { train, heldOut } = other ? { train: examples, heldOut: other.examples } : holdOut(examples, options)
  const tokenize = exampleTokenizer(options)
  const packing =
    options.packing ?? (examples.every(({ content }) => content.kind === 'text') ? 'across' : 'isolated')
  const [trained, kept] = [train.flatMap(tokenize), heldOut.flatMap(tokenize)]
  const shape = { packing, batchSize, sequenceLength, seed }
  return {
    stream: createExampleStream({ examples: trained, ...shape }),
    heldOut: kept.length > 0 ? createExampleStream({ examples: kept, ...shape }) : undefined,
    packing,
    examples: train.length,
    heldOutExamples: heldOut.length,
    format,
    digest: digestOf([...trained, ...kept])
  }
}

/**
 * Reads data once from end to end, to find what does not fit before anything is started; of conversations the first is
 * put into the chat template.
 *
 * @throws {DataError} naming file and line
 */
export async function checkTrainingData(
  options: Pick<TrainingDataOptions, keyof DataSettings | 'data' | 'folder' | 'tokenizer'>
): Promise<void> {
  const { examples } = await readTrainingExamples(options.data, options)
  const conversation = examples.find(({ content }) => content.kind === 'chat')
  if (conversation) exampleTokenizer(options)(conversation)
}

function readTrainingExamples(
  data: string,
  { format, template }: DataSettings
): ReturnType<typeof readExamples> {
  return readExamples(data, { ...(format && { format }), ...(template && { template }) })
}

function exampleTokenizer({
  folder,
  tokenizer,
  loss,
  chatTemplate
}: DataSettings & Pick<TrainingDataOptions, 'folder' | 'tokenizer'>): (
  example: TrainingExample
) => TokenizedExample[] {
  const renderChat = loadChatTemplate(folder, chatTemplate)
  return (example) => tokenizeExample(example, { tokenizer, loss, ...(renderChat && { renderChat }) })
}

function holdOut(
  examples: readonly TrainingExample[],
  { heldOut, seed }: Pick<TrainingDataOptions, 'heldOut' | 'seed'>
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
