import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TextTokenizer, type TrainingExample, tokenizeExample } from '../../../../src/data/index.ts'
import { CHAT_TEMPLATES, createChatTemplate, loadChatTemplate } from '../../../../src/model/index.ts'

/** One token a character: a token's id is its code. */
const CHARACTERS: TextTokenizer = {
  vocabularySize: 0x10000,
  bosId: 1,
  eosId: 2,
  encode: (text) => Array.from(text, (letter) => letter.charCodeAt(0)),
  decode: (ids) => String.fromCharCode(...ids)
}

const chat = (...turns: [string, string][]): TrainingExample => ({
  source: 'a.jsonl:1',
  content: { kind: 'chat', messages: turns.map(([role, content]) => ({ role, content })) }
})

/** The training targets of an example, each stretch as text. */
function learned(example: TrainingExample, template?: string): string[][] {
  const renderChat =
    template === undefined
      ? undefined
      : createChatTemplate(template, { specialTokens: { bos_token: '<s>', eos_token: '</s>' } })
  const options = { tokenizer: CHARACTERS, loss: 'completions', ...(renderChat && { renderChat }) } as const
  return tokenizeExample(example, options).map(({ ids, weights }) => {
    const stretches: string[] = []
    for (const [index, id] of ids.entries()) {
      if (weights[index] === 0) continue
      if (index === 0 || weights[index - 1] === 0) stretches.push('')
      stretches.push(stretches.pop()! + String.fromCharCode(id))
    }
    return stretches
  })
}

describe('chat template', () => {
  const conversation = chat(
    ['system', 'Be brief.'],
    ['user', 'Hi'],
    ['assistant', 'Hello'],
    ['user', 'Bye'],
    ['assistant', 'Ciao']
  )

  it('trains on answers only, with the tokens that end them', () => {
    assert.deepEqual(learned(conversation, CHAT_TEMPLATES.chatml), [
      ['Hello<|im_end|>\n', 'Ciao<|im_end|>\n']
    ])
    const llama =
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]" +
      "{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    assert.deepEqual(learned(conversation, llama), [[' Hello</s>', ' Ciao</s>']])
  })

  it('trains on each answer separately if the template renders earlier ones differently', () => {
    // Like templates that drop the thoughts of all answers but the last.
    const forgetful =
      "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and not loop.last %}...{% else %}{{ m.content }}{% endif %}{% endfor %}" +
      '{% if add_generation_prompt %}<assistant>{% endif %}'
    assert.deepEqual(learned(conversation, forgetful), [['Hello'], ['Ciao']])
  })

  it('reports what a conversation lacks', () => {
    assert.throws(
      () => learned(conversation),
      /a\.jsonl:1: conversations need a chat template.*--chat-template/
    )
    assert.throws(
      () => learned(conversation, "{{ raise_exception('roles must alternate') }}"),
      /a\.jsonl:1: .*roles must alternate/
    )
    assert.throws(() => learned(conversation, '{{ messages | length }}'), /a\.jsonl:1: .*does not begin like/)
  })

  it('ends completions with EOS, but not texts, and does not train on prompts', () => {
    const completion: TrainingExample = {
      source: 'x:1',
      content: { kind: 'completion', prompt: 'Q: ', completion: 'A' }
    }
    assert.deepEqual(learned(completion), [['A\u0002']])
    const text: TrainingExample = { source: 'x:1', content: { kind: 'text', text: 'abc' } }
    assert.deepEqual(learned(text), [['abc']])
    const [all] = tokenizeExample(completion, { tokenizer: CHARACTERS, loss: 'all' })
    assert.deepEqual([...all!.ids], [1, ...CHARACTERS.encode('Q: A'), 2])
    assert.deepEqual([...all!.weights], [0, 1, 1, 1, 1, 1])
  })

  it('uses the given date, or the same fixed date every time', () => {
    const dated =
      "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% endif %} {{ messages[0].content }}"
    const say = (date?: () => Date): string =>
      createChatTemplate(dated, date && { date })([{ role: 'user', content: 'Hi' }], {
        addGenerationPrompt: false
      })
    assert.equal(say(), '26 Jul 2024 Hi')
    assert.equal(
      say(() => new Date('2026-03-07T23:59:59Z')),
      '07 Mar 2026 Hi'
    )
  })

  it("is found in a model's folder, or given", () => {
    const folder = mkdtempSync(join(tmpdir(), 'loam-chat-'))
    const config = (json: object): void =>
      writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(json))
    const rendered = (override?: string): string | undefined =>
      loadChatTemplate(folder, override)?.([{ role: 'user', content: 'Hi' }], { addGenerationPrompt: false })
    try {
      config({})
      assert.equal(rendered(), undefined)
      writeFileSync(join(folder, 'chat_template.jinja'), 'file {{ messages[0].content }}')
      assert.equal(rendered(), 'file Hi')
      // The file takes precedence over tokenizer_config.json.
      config({ bos_token: { content: '<s>' }, chat_template: '{{ bos_token }}{{ messages[0].content }}' })
      assert.equal(rendered(), 'file Hi')
      rmSync(join(folder, 'chat_template.jinja'))
      assert.equal(rendered(), '<s>Hi')
      config({
        chat_template: [
          { name: 'tool', template: 't' },
          { name: 'default', template: 'd' }
        ]
      })
      assert.equal(rendered(), 'd')
      assert.match(rendered('chatml')!, /^<\|im_start\|>user\nHi<\|im_end\|>/)
      writeFileSync(join(folder, 'own.txt'), '\ufefffile {{ messages[0].content }}')
      assert.equal(rendered(join(folder, 'own.txt')), 'file Hi')
      assert.throws(() => rendered('nonsense'), /unknown chat template nonsense/)
      config({ chat_template: 7 })
      assert.throws(() => rendered(), /tokenizer_config\.json/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
