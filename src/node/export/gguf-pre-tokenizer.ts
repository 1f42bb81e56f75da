import { z } from 'zod'

/** A step of a tokenizer.json's pre-tokenizer, as far as it is compared. */
const step = z.looseObject({
  type: z.string(),
  use_regex: z.boolean().nullish(),
  add_prefix_space: z.boolean().nullish(),
  individual_digits: z.boolean().nullish(),
  behavior: z.string().nullish(),
  invert: z.boolean().nullish(),
  pattern: z.looseObject({ Regex: z.string().nullish(), String: z.string().nullish() }).nullish()
})
const sequence = z.looseObject({ type: z.literal('Sequence'), pretokenizers: z.array(step) })

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const END = String.raw`|\s*[\r\n]+|\s+(?!\S)|\s+`
const LLAMA_3 = String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*${END}`
const QWEN_2 = String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*${END}`
const QWEN_3_5 = String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*${END}`
const [UPPER, LOWER] = [String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`]
const MARK = String.raw`[^\r\n\p{L}\p{N}]?`
const GPT_4O =
  `${MARK}${UPPER}*${LOWER}+${CONTRACTIONS}?|${MARK}${UPPER}+${LOWER}*${CONTRACTIONS}?|` +
  String.raw`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*${END}`
const TEKKEN_END = String.raw`\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*${END}`
const TEKKEN = `${MARK}${UPPER}*${LOWER}+|${MARK}${UPPER}+${LOWER}*|${TEKKEN_END}`
const GPT_2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const DEEPSEEK_3 = [
  String.raw`\p{N}{1,3}`,
  '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+',
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+'
]

/** A pre-tokenizer of llama.cpp (`llm_tokenizer_bpe`, src/llama-vocab.cpp). */
export interface GgufPreTokenizer {
  /** `tokenizer.ggml.pre`. */
  readonly name: string
  /** Whether a word that is a token is taken whole, whatever the merges say; undefined for either, by its other name. */
  readonly ignoresMerges: boolean
  /** Texts that it divides otherwise all the same. */
  readonly exception?: string
}

/** llama.cpp writes these patterns without the marks that combine with letters. */
const MARKS = 'words with combining marks, as in Hindi'

/** Steps of a pre-tokenizer, and who of llama.cpp does the same. */
const KNOWN: readonly { readonly steps: string; readonly names: readonly GgufPreTokenizer[] }[] = [
  { steps: 'ByteLevel+regex', names: [{ name: 'gpt-2', ignoresMerges: false }] },
  { steps: steps(GPT_2), names: [{ name: 'gpt-2', ignoresMerges: false }] },
  { steps: 'Digits ByteLevel+regex', names: [{ name: 'smollm', ignoresMerges: false }] },
  {
    steps: steps(LLAMA_3),
    names: [
      { name: 'llama-bpe', ignoresMerges: true },
      { name: 'dbrx', ignoresMerges: false }
    ]
  },
  { steps: steps(QWEN_2), names: [{ name: 'qwen2', ignoresMerges: false }] },
  { steps: steps(QWEN_3_5), names: [{ name: 'qwen35', ignoresMerges: false }] },
  { steps: steps(GPT_4O), names: [{ name: 'gpt-4o', ignoresMerges: false, exception: MARKS }] },
  { steps: steps(TEKKEN), names: [{ name: 'tekken', ignoresMerges: true, exception: MARKS }] },
  { steps: steps(...DEEPSEEK_3), names: [{ name: 'deepseek-v3', ignoresMerges: false }] }
]

/**
 * The pre-tokenizers of llama.cpp that divide a text as one of a tokenizer.json does; none where none is known.
 *
 * @param preTokenizer its contents in tokenizer.json
 */
export function ggufPreTokenizers(preTokenizer: unknown): readonly GgufPreTokenizer[] {
  const single = step.safeParse(preTokenizer)
  const several = sequence.safeParse(preTokenizer)
  const parts = several.success ? several.data.pretokenizers : single.success ? [single.data] : []
  const written = parts.map(stepName).join(' ')
  return KNOWN.find(({ steps }) => steps === written)?.names ?? []
}

function steps(...patterns: readonly string[]): string {
  return [...patterns.map((pattern) => `Split ${JSON.stringify(pattern)}`), 'ByteLevel'].join(' ')
}

function stepName(part: z.infer<typeof step>): string {
  const { type, use_regex, add_prefix_space, individual_digits, pattern, behavior, invert } = part
  if (type === 'ByteLevel' && add_prefix_space !== true)
    return use_regex === false ? 'ByteLevel' : 'ByteLevel+regex'
  if (type === 'Digits' && individual_digits === true) return 'Digits'
  // Of patterns that match every character, what is kept of the matches is what is left between them.
  const isolated = (behavior === 'Isolated' && invert !== true) || (behavior === 'Removed' && invert === true)
  if (type === 'Split' && isolated && pattern?.Regex != null) return `Split ${JSON.stringify(pattern.Regex)}`
  return `unknown ${type}`
}
