import assert from 'node:assert/strict'
import { encodeText } from '../../../../src/data/index.ts'
import { createTextTokenizer } from '../../../../src/model/index.ts'
import { namedSpecialTokens } from '../../../../src/model/tokenizer/special-tokens.ts'
import { BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

const MARKERS = ['<|start|>', '<|end|>', '<|pad|>']
const added = MARKERS.map((content, index) => ({
  ...BYTE_LEVEL_TOKENIZER.added_tokens[0]!,
  content,
  id: index === 0 ? 0 : 11 + index
}))
const JSON_FILE = { ...BYTE_LEVEL_TOKENIZER, added_tokens: added }
const [START, HELL, O, END] = [0, 10, 4, 12]
const adds = (...tokens: string[]): object => ({
  ...JSON_FILE,
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      ...(tokens.includes('<|start|>') ? [{ SpecialToken: { id: '<|start|>', type_id: 0 } }] : []),
      { Sequence: { id: 'A', type_id: 0 } },
      ...(tokens.includes('<|end|>') ? [{ SpecialToken: { id: '<|end|>', type_id: 0 } }] : [])
    ],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: {
      '<|start|>': { id: '<|start|>', ids: [START], tokens: ['<|start|>'] },
      '<|end|>': { id: '<|end|>', ids: [END], tokens: ['<|end|>'] }
    }
  }
})
const byteLevel = { ...JSON_FILE, post_processor: { type: 'ByteLevel', add_prefix_space: false } }
const NAMED = { bos_token: '<|start|>', eos_token: '<|end|>' }

describe('what a tokenizer adds around a text', () => {
  it('is determined by its post-processor, whatever the config names or asks for', () => {
    const around = (json: object, config: object): (readonly number[])[] => [
      encodeText(createTextTokenizer(json, config), 'hello')
    ]
    assert.deepEqual(around(adds('<|start|>'), NAMED), [[START, HELL, O]])
    assert.deepEqual(around(adds('<|start|>', '<|end|>'), NAMED), [[START, HELL, O, END]])
    assert.deepEqual(around(adds(), { ...NAMED, add_bos_token: true }), [[HELL, O]])
    assert.deepEqual(around(byteLevel, { ...NAMED, add_bos_token: true }), [[HELL, O]])
    assert.deepEqual(around(adds('<|start|>'), { ...NAMED, add_bos_token: false }), [[START, HELL, O]])
  })

  it('is determined by the config if there is no post-processor', () => {
    for (const [asked, ids] of [
      [{}, [HELL, O]],
      [{ add_bos_token: true }, [START, HELL, O]],
      [{ add_bos_token: true, add_eos_token: true }, [START, HELL, O, END]],
      [{ add_bos_token: false }, [HELL, O]]
    ] as const)
      assert.deepEqual(encodeText(createTextTokenizer(JSON_FILE, { ...NAMED, ...asked }), 'hello'), ids)
  })
})

describe('special tokens', () => {
  const ends = (config: object, more: object = {}): [number | undefined, number | undefined] => {
    const { bosId, eosId } = createTextTokenizer(byteLevel, config, more)
    return [bosId, eosId]
  }

  it('come from tokenizer_config.json, special_tokens_map.json and config.json', () => {
    assert.deepEqual(ends(NAMED), [START, END])
    assert.deepEqual(ends({}, { specialTokensMap: { eos_token: { content: '<|end|>' } } }), [undefined, END])
    assert.deepEqual(ends({}, { modelConfig: { bos_token_id: 0, eos_token_id: [12, 13] } }), [START, END])
    assert.deepEqual(ends({}, { modelConfig: { bos_token_id: 99, eos_token_id: 99 } }), [
      undefined,
      undefined
    ])
    assert.deepEqual(ends({}), [undefined, undefined])
  })

  it('follow the precedence of transformers 5: the map first, unless the config lists the added tokens', () => {
    const specialTokensMap = { eos_token: '<|pad|>' }
    assert.equal(ends(NAMED, { specialTokensMap })[1], 13)
    assert.equal(
      ends({ ...NAMED, added_tokens_decoder: { 0: { content: '<|start|>' } } }, { specialTokensMap })[1],
      END
    )
  })

  it('a null disables the beginning token, but not the search for an end token', () => {
    const modelConfig = { bos_token_id: 0, eos_token_id: 12 }
    assert.deepEqual(ends({ bos_token: null, eos_token: null }, { modelConfig }), [undefined, END])
  })

  it('are passed to templates by name, including those of the model', () => {
    const named = namedSpecialTokens({
      config: { unk_token: '<unk>', pad_token: null, extra_special_tokens: { image_token: '<img>' } },
      specialTokensMap: { cls_token: '<cls>' }
    })
    assert.deepEqual(named, { unk_token: '<unk>', pad_token: null, image_token: '<img>', cls_token: '<cls>' })
    assert.throws(
      () => namedSpecialTokens({ config: {}, specialTokensMap: { eos_token: 3 } }),
      /special_tokens_map\.json/
    )
  })
})
