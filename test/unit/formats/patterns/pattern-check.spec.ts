import assert from 'node:assert/strict'
import { patternFault, patternsIn } from '../../../../src/formats/patterns/pattern-check.ts'
import { createTextTokenizer } from '../../../../src/model/index.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../../model/tokenizers.ts'

const LLAMA_3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const KNOWN = [
  LLAMA_3,
  LLAMA_3.replace('{1,3}', ''),
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  // o200k
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  // DeepSeek
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  // BLOOM
  ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  '\\d{1,3}(?=(\\d{3})*\\b)',
  ' {2,}',
  '(?<name>a)b{',
  '\\(a+\\)+'
]

describe('the patterns of a tokenizer', () => {
  it('of published models are accepted', () => {
    for (const pattern of KNOWN) assert.equal(patternFault(pattern), undefined, pattern)
  })

  it('are refused if they can take exponential time', () => {
    const exponential = [
      '(a+)+$',
      '(a*)*$',
      '(a|aa)+$',
      '(?:a?)+$',
      '(?i:a+){2,9}$',
      '((a+))+$',
      '(?:(?:ab+)c)*',
      '([a-z]+)++',
      'x(?:\\p{L}*){3,}'
    ]
    for (const pattern of exponential) assert.match(patternFault(pattern) ?? '', /repeated group/, pattern)
  })

  it('are refused with many consecutive repeats', () => {
    for (const pattern of ['a*a*a*a*b', 'a*(b*a*)(a*)c', '(a*a*)a*a*$', 'x|a+a+a+a+'])
      assert.match(patternFault(pattern) ?? '', /unbounded/, pattern)
    assert.equal(patternFault('a*b*c*|a*b*c*|(d*|e*|f*|g*)'), undefined)
  })

  it('are refused if choices and optional parts combine in too many ways', () => {
    for (const pattern of ['a?'.repeat(30) + 'a'.repeat(30), '(a|aa)'.repeat(40), 'a{0,9}'.repeat(20)])
      assert.match(patternFault(pattern) ?? '', /ways/, pattern)
    assert.match(patternFault('a{0,999}'.repeat(4)) ?? '', /unbounded/)
    assert.equal(
      patternFault('model\\.layers\\.(0|1|2|1[0-9])\\.(self_attn|mlp)\\.(q|k|v|o)_proj', 64),
      undefined
    )
  })

  it('are checked everywhere in tokenizer.json before any text is encoded', () => {
    const split = (Regex: string) => ({
      type: 'Split',
      pattern: { Regex },
      behavior: 'Isolated',
      invert: false
    })
    const nested = { type: 'Sequence', pretokenizers: [split('a'), split('b+')] }
    assert.deepEqual(patternsIn(nested), ['a', 'b+'])
    const replace = { type: 'Replace', pattern: { Regex: '(a+)+$' }, content: '' }
    for (const part of [
      { pre_tokenizer: { type: 'Sequence', pretokenizers: [split('(a+)+$')] } },
      { normalizer: replace },
      { decoder: replace }
    ])
      assert.throws(
        () => createTextTokenizer({ ...BYTE_LEVEL_TOKENIZER, ...part }, BYTE_LEVEL_CONFIG),
        /tokenizer\.json: the pattern "\(a\+\)\+\$" is refused/
      )
    const tokenizer = createTextTokenizer(
      { ...BYTE_LEVEL_TOKENIZER, pre_tokenizer: nested },
      BYTE_LEVEL_CONFIG
    )
    assert(tokenizer.vocabularySize > 0)
  })
})
