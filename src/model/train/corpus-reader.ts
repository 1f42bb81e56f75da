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

/** How a run's data are understood. */
export interface CorpusSettings {
  /** What all records are; told by each file's first record if absent. */
  readonly format?: RecordFormat | undefined
  /** Makes text or prompt and completion of any record; goes before `format`. */
  readonly template?: RecordTemplate | undefined
  /** A named chat template or a file with one, in place of the model's own. */
  readonly chatTemplate?: string | undefined
  /** `completions`: prompts are read but not learned. */
  readonly loss: 'completions' | 'all'
  /** Day that a chat template writes which writes the date, `YYYY-MM-DD`; `TEMPLATE_DATE` if absent. */
  readonly templateDate?: string | undefined
  /** Records that may be passed over since they do not fit; 0 if absent. */
  readonly skipBad?: number | undefined
}

/** Whose tokens a corpus is made of. */
export interface CorpusModel {
  /** The base model's folder, for its chat template. */
  readonly folder: string
  readonly tokenizer: TextTokenizer
}

/** Training data as tokens. */
export interface Corpus {
  /** What each example became: a conversation may become several. */
  readonly examples: readonly (readonly TokenizedExample[])[]
  /** Whether all examples are plain text. */
  readonly isText: boolean
  /** What was found: one format, or several joined by a comma. */
  readonly format: string
  /** Records that were passed over since they do not fit. */
  readonly badRecords: number
  /** What of the data is not trained on, or not as its author may think, as lines for people. */
  readonly notes: readonly string[]
}

/** Reads corpora, and keeps them as tokens while their files stay as they are. */
export interface CorpusReader {
  /**
   * The corpus in a file or folder: the one that was read before, unless a file was changed, added or removed since.
   *
   * @throws {DataError} naming file and line of what does not fit
   */
  read(path: string, settings: CorpusSettings, model: CorpusModel): Promise<Corpus>
}

/** Corpora that are kept: one to train on and one to evaluate on. */
const KEPT_MAX = 2

/** A reader that has read nothing yet. */
export function createCorpusReader(): CorpusReader {
  const kept = new Map<string, { readonly stamp: string; readonly corpus: Corpus }>()
  return {
    async read(path, settings, model) {
      const { format, template, chatTemplate, loss, templateDate, skipBad } = settings
      const read = [format, template, chatTemplate, loss, templateDate, skipBad]
      const key = JSON.stringify([path, ...read, model.folder])
      // Taken before the files are read: what is written meanwhile has another stamp the next time.
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
 * Reads data once from end to end, to find what does not fit before anything is started; of conversations the first is
 * put into the chat template.
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

/** How a run makes tokens of its examples, and what that has shown so far. */
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
