import type { ExampleSet, TokenizeNote } from '../../data/index.ts'

/** What tokenizing a corpus has shown, counted in examples. */
export interface TokenizingCounts {
  readonly notes: ReadonlyMap<TokenizeNote, number>
  /** The day that the chat template has written, if it has. */
  readonly writtenDate: string | undefined
  /** Completions that end without a token that ends texts, since the tokenizer names none. */
  readonly endless: number
}

/** Files and keys that a line names; the others are counted. */
const NAMED_MAX = 6

const SENTENCES: Readonly<Record<TokenizeNote, string>> = {
  thoughts: 'the chat template does not write the thoughts of the answers of',
  messages: 'the chat template leaves a message out of',
  'no beginning':
    'the chat template does not write the token that texts begin with (BOS), and transformers adds none to conversations: it is missing in',
  'special tokens': 'special tokens, which stand written out in the text, are read as such in'
}

/** What of the data is not trained on, or not as its author may think, as lines for people. */
export function corpusNotes(set: ExampleSet, counts: TokenizingCounts): string[] {
  const { bad, unlearned, unread, passedOver } = set
  const keys = [...unread].map(([key, count]) => `${JSON.stringify(key)} (${count})`)
  const files = passedOver.map(({ file, reason }) => `${file} (${reason})`)
  const reasons = bad.map(({ source, reason }) => `${source}: ${reason}`)
  return [
    ...(files.length > 0 ? [`not trained on: ${listed(files)}`] : []),
    ...(bad.length > 0 ? [`${bad.length} records passed over: ${listed(reasons)}`] : []),
    ...(unlearned > 0
      ? [`${unlearned} records left out: they say that they are not to be learned (label, weight, train)`]
      : []),
    ...(keys.length > 0 ? [`ignored keys, and in how many records:  ${listed(keys)}`] : []),
    ...[...counts.notes].map(([note, count]) => `${SENTENCES[note]} ${count} examples`),
    ...(counts.writtenDate === undefined
      ? []
      : [`the chat template writes the date: as ${counts.writtenDate}, whatever day it is (templateDate)`]),
    ...(counts.endless > 0
      ? [`${counts.endless} completions end without a token that ends texts: the tokenizer names none`]
      : [])
  ]
}

function listed(parts: readonly string[]): string {
  const named = parts.slice(0, NAMED_MAX).join(', ')
  return parts.length > NAMED_MAX ? `${named} and ${parts.length - NAMED_MAX} more` : named
}
