import { documentTokens, type TextDocument, type TextTokenizer } from '../../src/data/index.ts'
import { loadPretrainingDocuments } from './packages/index.ts'
import { splitPretraining } from './pretraining-split.ts'

/** The pretraining text, split. */
export interface PretrainingCorpus {
  readonly train: readonly TextDocument[]
  readonly heldOut: readonly TextDocument[]
}

/** Loads and splits the pretraining text: about 6 seconds. */
export async function loadPretrainingCorpus(): Promise<PretrainingCorpus> {
  return splitPretraining(await loadPretrainingDocuments())
}

/** Token sequences of documents, each with its beginning-of-sequence id: about 1 MB of text per second. */
export function tokenizeDocuments(documents: readonly TextDocument[], tokenizer: TextTokenizer): number[][] {
  return documents.map(({ text }) => documentTokens(text, tokenizer))
}

/** Total UTF-8 bytes of all texts. */
export function countBytes(documents: readonly TextDocument[]): number {
  return documents.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
}
