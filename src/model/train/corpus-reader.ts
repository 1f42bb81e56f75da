import { existsSync } from 'node:fs'
import {
  dataFiles,
  fileStamp,
  type RecordFormat,
  type RecordTemplate,
  readExamples,
  type TextTokenizer,
  type TokenizedExample,
  type TokenizeNote,
  type TrainingExample,
  tokenizeExample
} from '../../data/index.ts'
import { loadChatTemplate, TEMPLATE_DATE } from '../tokenizer/chat-template.ts'
import { corpusNotes, type TokenizingCounts } from './corpus-notes.ts'

/** How to interpret a run's data. */
export interface CorpusSettings {
  /** The format of all records; detected from each file's first record if absent. */
  readonly format?: RecordFormat | undefined
  /** Turns any record into text or prompt and completion; takes precedence over `format`. */
  readonly template?: RecordTemplate | undefined
  /** A named chat template or a file with one, in place of the model's own. */
  readonly chatTemplate?: string | undefined
  /** `completions`: prompts are context but not learned. */
  readonly loss: 'completions' | 'all'
  /** Date for chat templates that write one, `YYYY-MM-DD`; `TEMPLATE_DATE` if absent. */
  readonly templateDate?: string | undefined
  /** How many invalid records may be skipped; 0 if absent. */
  readonly skipBad?: number | undefined
}

/** The tokenizer of a corpus. */
export interface CorpusModel {
  /** The base model's folder, for its chat template. */
  readonly folder: string
  readonly tokenizer: TextTokenizer
}

/** Training data as tokens. */
export interface Corpus {
  /** The tokenized pieces of each example; a conversation may have several. */
  readonly examples: readonly (readonly TokenizedExample[])[]
  /** Whether all examples are plain text. */
  readonly isText: boolean
  /** The formats found, joined by commas. */
  readonly format: string
  /** Invalid records that were skipped. */
  readonly badRecords: number
  /** Notes on data that is not trained on, or not as its author may expect, as lines of text. */
  readonly notes: readonly string[]
}

/** Reads corpora, and caches their tokens while their files are unchanged. */
export interface CorpusReader {
  /**
   * The corpus in a file or folder; the cached one unless a file was changed, added or removed since.
   *
   * @throws {DataError} naming file and line of what does not fit
   */
  read(path: string, settings: CorpusSettings, model: CorpusModel): Promise<Corpus>
}

/** Number of cached corpora: one to train on and one to evaluate on. */
const KEPT_MAX = 2

/** Creates a reader with an empty cache. */
export function createCorpusReader(): CorpusReader {
  const kept = new Map<string, { readonly stamp: string; readonly corpus: Corpus }>()
  return {
    async read(path, settings, model) {
      const { format, template, chatTemplate, loss, templateDate, skipBad } = settings
      const read = [format, template, chatTemplate, loss, templateDate, skipBad]
      const key = JSON.stringify([path, ...read, model.folder])
      // Taken before the files are read, so that a write in the meantime changes the stamp next time.
      const stamp = await fileStamp([...(await dataFiles(path)), ...templateFile(chatTemplate)])
      const known = kept.get(key)
      kept.delete(key)
      const corpus = known?.stamp === stamp ? known.corpus : await readCorpus(path, settings, model)
      kept.set(key, { stamp, corpus })
      for (const oldest of kept.keys()) {
        if (kept.size <= KEPT_MAX) break
        kept.delete(oldest)
      }
      return corpus
    }
  }
}

/**
 * Reads all data once to find invalid records before anything is started; renders the first conversation with the chat
 * template.
 *
 * @throws {DataError} naming file and line
 */
export async function checkCorpus(path: string, settings: CorpusSettings, model: CorpusModel): Promise<void> {
  const { examples } = await readCorpusRecords(path, settings)
  const conversation = examples.find(({ content }) => content.kind === 'chat')
  if (conversation) exampleTokenizer(settings, model).tokenize(conversation)
}

async function readCorpus(path: string, settings: CorpusSettings, model: CorpusModel): Promise<Corpus> {
  const set = await readCorpusRecords(path, settings)
  const { tokenize, counts } = exampleTokenizer(settings, model)
  return {
    examples: set.examples.map(tokenize),
    isText: set.examples.every(({ content }) => content.kind === 'text'),
    format: set.format,
    badRecords: set.bad.length,
    notes: corpusNotes(set, counts())
  }
}

/**
 * Reads the records of a run's data.
 *
 * @throws {DataError} naming file and line of what does not fit
 */
export function readCorpusRecords(
  path: string,
  { format, template, skipBad }: CorpusSettings
): ReturnType<typeof readExamples> {
  return readExamples(path, {
    ...(format && { format }),
    ...(template && { template }),
    ...(skipBad !== undefined && { skipBad })
  })
}

/** Tokenizes a run's examples, and collects findings. */
export interface ExampleTokenizer {
  /** @throws {DataError} naming the example's place, when there is no chat template or it fails */
  tokenize(example: TrainingExample): TokenizedExample[]
  counts(): TokenizingCounts
}

/** @throws {Error} when the chat template is missing or malformed */
export function exampleTokenizer(
  { loss, chatTemplate, templateDate = TEMPLATE_DATE }: CorpusSettings,
  { folder, tokenizer }: CorpusModel
): ExampleTokenizer {
  const counted = new Map<TokenizeNote, number>()
  let writtenDate: string | undefined
  let endless = 0
  const date = (): Date => {
    writtenDate = templateDate
    return new Date(`${templateDate}T00:00:00Z`)
  }
  const renderChat = loadChatTemplate(folder, chatTemplate, { date })
  return {
    tokenize(example) {
      const notes = new Set<TokenizeNote>()
      const onNote = (note: TokenizeNote): unknown => notes.add(note)
      const options = { tokenizer, loss, onNote, ...(renderChat && { renderChat }) }
      const tokenized = tokenizeExample(example, options)
      for (const note of notes) counted.set(note, (counted.get(note) ?? 0) + 1)
      if (example.content.kind === 'completion' && tokenizer.eosId === undefined) endless++
      return tokenized
    },
    counts: () => ({ notes: counted, writtenDate, endless })
  }
}

function templateFile(chatTemplate: string | undefined): string[] {
  return chatTemplate !== undefined && existsSync(chatTemplate) ? [chatTemplate] : []
}
