import { existsSync } from 'node:fs'
import {
  dataFiles,
  fileStamp,
  type RecordFormat,
  type RecordTemplate,
  readExamples,
  type TextTokenizer,
  type TokenizedExample,
  type TrainingExample,
  tokenizeExample
} from '../../data/index.ts'
import { loadChatTemplate } from '../tokenizer/chat-template.ts'

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
      const { format, template, chatTemplate, loss } = settings
      const key = JSON.stringify([path, format, template, chatTemplate, loss, model.folder])
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
  const { examples } = await readRecords(path, settings)
  const conversation = examples.find(({ content }) => content.kind === 'chat')
  if (conversation) exampleTokenizer(settings, model)(conversation)
}

async function readCorpus(path: string, settings: CorpusSettings, model: CorpusModel): Promise<Corpus> {
  const { examples, format } = await readRecords(path, settings)
  return {
    examples: examples.map(exampleTokenizer(settings, model)),
    isText: examples.every(({ content }) => content.kind === 'text'),
    format
  }
}

function readRecords(path: string, { format, template }: CorpusSettings): ReturnType<typeof readExamples> {
  return readExamples(path, { ...(format && { format }), ...(template && { template }) })
}

function exampleTokenizer(
  { loss, chatTemplate }: CorpusSettings,
  { folder, tokenizer }: CorpusModel
): (example: TrainingExample) => TokenizedExample[] {
  const renderChat = loadChatTemplate(folder, chatTemplate)
  return (example) => tokenizeExample(example, { tokenizer, loss, ...(renderChat && { renderChat }) })
}

function templateFile(chatTemplate: string | undefined): string[] {
  return chatTemplate !== undefined && existsSync(chatTemplate) ? [chatTemplate] : []
}
