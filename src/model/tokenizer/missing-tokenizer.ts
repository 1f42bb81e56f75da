import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const CONVERT =
  'convert it in transformers, AutoTokenizer.from_pretrained(folder, use_fast=True).save_pretrained(folder)'

/** Tokenizers in other formats, by their files. */
const OTHER_FORMS: readonly (readonly [string, readonly string[]])[] = [
  ['a SentencePiece model', ['tokenizer.model', 'spiece.model', 'sentencepiece.bpe.model']],
  ['a vocabulary with merges', ['vocab.json', 'merges.txt']],
  ['a tiktoken file', ['tokenizer.tiktoken', 'qwen.tiktoken', 'tiktoken.model']],
  ['a Mistral tokenizer', ['tekken.json']],
  ['a WordPiece vocabulary', ['vocab.txt']]
]

/**
 * Refuses a folder without tokenizer.json.
 *
 * @throws {Error} naming what is there instead, and how to convert it
 */
export function requireTokenizerFile(folder: string): void {
  const names = existsSync(folder) ? new Set(readdirSync(folder)) : new Set<string>()
  if (names.has('tokenizer.json')) return
  const other = OTHER_FORMS.map(([kind, files]) => [kind, files.filter((file) => names.has(file))] as const)
  const [kind, files] = other.find(([, found]) => found.length > 0) ?? []
  if (files === undefined)
    throw new Error(`${join(folder, 'tokenizer.json')} is missing: copy it from the model's source`)
  throw new Error(
    `${folder} has no tokenizer.json, only ${files.join(' and ')} (${kind}), which is not supported: ${CONVERT}`
  )
}
