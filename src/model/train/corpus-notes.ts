import type { ExampleSet, TokenizeNote } from '../../data/index.ts'

/** Findings of tokenizing a corpus, counted in examples. */
export interface TokenizingCounts {
  readonly notes: ReadonlyMap<TokenizeNote, number>
  /** The date that the chat template wrote, if any. */
  readonly writtenDate: string | undefined
  /** Completions without an end-of-text token, since the tokenizer has none. */
  readonly endless: number
}

/** Number of files and keys that a line lists; the others are counted. */
const NAMED_MAX = 6

const SENTENCES: Readonly<Record<TokenizeNote, string>> = {
  thoughts: 'the chat template leaves out the reasoning of the answers of',
  messages: 'the chat template leaves out a message of',
  'no beginning':
    'the chat template does not write the beginning-of-sequence token (BOS), and transformers adds none to conversations: it is missing in',
  'special tokens': 'special tokens written out in the text are read as such in',
  'replaced characters':
    'U+FFFD, which stands for characters that were lost when the text was converted, is learned in'
}

/** Notes on data that is not trained on, or not as its author may expect, as lines of text. */
export function corpusNotes(set: ExampleSet, counts: TokenizingCounts): string[] {
  const { bad, unlearned, unread, passedOver } = set
  const keys = [...unread].map(([key, count]) => `${JSON.stringify(key)} (${count})`)
  const files = passedOver.map(({ file, reason }) => `${file} (${reason})`)
  const reasons = bad.map(({ source, reason }) => `${source}: ${reason}`)
  return [
    ...(files.length > 0 ? [`not trained on: ${listed(files)}`] : []),
    ...(bad.length > 0 ? [`${bad.length} records skipped:  ${listed(reasons)}`] : []),
    ...(unlearned > 0
      ? [`${unlearned} records left out: they ask not to be learned (label, weight, train)`]
      : []),
    ...(keys.length > 0 ? [`ignored keys, and in how many records: ${listed(keys)}`] : []),
    ...[...counts.notes].map(([note, count]) => `${SENTENCES[note]} ${count} examples`),
    ...(counts.writtenDate === undefined
      ? []
      : [`the chat template writes the date: always ${counts.writtenDate} (templateDate)`]),
    ...(counts.endless > 0
      ? [`${counts.endless} completions have no end-of-text token: the tokenizer has none`]
      : [])
  ]
}

function listed(parts: readonly string[]): string {
  const named = parts.slice(0, NAMED_MAX).join(', ')
  return parts.length > NAMED_MAX ? `${named} and ${parts.length - NAMED_MAX} more` : named
}
