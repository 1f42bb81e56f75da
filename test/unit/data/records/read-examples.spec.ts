import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExampleContent, type ReadExamplesOptions, readExamples } from '../../../../src/data/index.ts'

const lines = (...records: object[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('')

describe('data/records', () => {
  let folder: string
  const path = (name: string): string => join(folder, name)
  const put = async (name: string, contents: string): Promise<string> => {
    await writeFile(path(name), contents)
    return path(name)
  }
  const contents = async (file: string, options: ReadExamplesOptions = {}): Promise<ExampleContent[]> =>
    (await readExamples(file, options)).examples.map(({ content }) => content)

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-data-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('tells text, Alpaca, Dolly, ShareGPT, chat messages and completions apart by their keys', async () => {
    const text = await put('a.jsonl', lines({ text: 'One.' }, { text: 'Two.', more: 1 }))
    assert.deepEqual(await contents(text), [
      { kind: 'text', text: 'One.' },
      { kind: 'text', text: 'Two.' }
    ])
    const alpaca = await put(
      'b.jsonl',
      lines({ instruction: 'Add.', input: '1 + 1', output: '2' }, { instruction: 'Say hi.', output: 'Hi' })
    )
    const [withInput, without] = await contents(alpaca)
    assert(withInput?.kind === 'completion' && without?.kind === 'completion')
    assert.match(withInput.prompt, /Instruction:\nAdd\.\n\n### Input:\n1 \+ 1\n\n### Response:\n$/)
    assert.equal(withInput.completion, '2')
    assert.match(without.prompt, /Instruction:\nSay hi\.\n\n### Response:\n$/)
    const dolly = await put(
      'c.jsonl',
      lines({ instruction: 'Add.', context: '1 + 1', response: '2', category: 'closed_qa' })
    )
    assert.deepEqual(await contents(dolly), [withInput])
    assert.equal((await readExamples(dolly)).examples[0]!.label, 'closed_qa')
    const chat = {
      kind: 'chat',
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' }
      ]
    }
    const shareGpt = await put(
      'd.json',
      JSON.stringify([
        {
          conversations: [
            { from: 'human', value: 'Hi' },
            { from: 'gpt', value: 'Hello' }
          ]
        }
      ])
    )
    assert.deepEqual(await contents(shareGpt), [chat])
    assert.deepEqual(await contents(await put('e.jsonl', lines({ messages: chat.messages }))), [chat])
    assert.deepEqual(await contents(await put('f.jsonl', lines({ prompt: 'a', completion: 'b' }))), [
      { kind: 'completion', prompt: 'a', completion: 'b' }
    ])
  })

  it('reads CSV by its header, with quotes and line breaks', async () => {
    const csv = await put('a.csv', '\ufeffinstruction,output\n"Say ""hi"",\nplease",Hi\n')
    const [example] = await contents(csv)
    assert(example?.kind === 'completion')
    assert.match(example.prompt, /Say "hi",\nplease/)
    await assert.rejects(contents(await put('b.csv', 'text\none\ntwo,three\n')), /b\.csv:3: .*Record Length/i)
    assert.equal((await contents(await put('c.tsv', 'text\tlabel\na, b\tx\n'))).length, 1)
  })

  it('reads a folder recursively, sorted by name', async () => {
    await mkdir(path('deep/.hidden'), { recursive: true })
    await put('b.txt', 'Second.')
    await put('a.md', '# First\n')
    await put('deep/c.jsonl', lines({ text: 'Third.' }))
    await put('deep/.hidden/d.txt', 'not this')
    await put('deep/e.png', 'nor this')
    const { examples, files, format } = await readExamples(folder)
    assert.deepEqual(
      examples.map(({ content }) => content.kind === 'text' && content.text),
      ['# First', 'Second.', 'Third.']
    )
    assert.equal(files.length, 3)
    assert.equal(format, 'text')
  })

  it('divides a long text at empty lines, and records where each piece begins', async () => {
    const paragraph = `${'word '.repeat(1000)}end.`
    const { examples } = await readExamples(await put('a.txt', `${paragraph}\n\n${paragraph}\n`))
    assert.deepEqual(
      examples.map(({ source }) => source.replace(folder, '')),
      ['/a.txt:1', '/a.txt:3']
    )
    const lone = await put('unknown', '{"text":"JSONL by its first brace"}\n')
    assert.equal((await readExamples(lone)).examples.length, 1)
  })

  it('renders any record with a user-defined template', async () => {
    const file = await put('a.jsonl', lines({ question: 'Why?', answer: 'Because {so}.', n: 3, gone: null }))
    const template = { prompt: 'Q{{{n}}}: {question}{gone}\nA:', completion: ' {answer}' }
    assert.deepEqual(await contents(file, { template }), [
      { kind: 'completion', prompt: 'Q{3}: Why?\nA:', completion: ' Because {so}.' }
    ])
    assert.deepEqual(await contents(file, { template: { text: '{answer}' } }), [
      { kind: 'text', text: 'Because {so}.' }
    ])
    await assert.rejects(contents(file, { template: { text: '{title}' } }), /a\.jsonl:1: has no "title"/)
    await assert.rejects(contents(file, { template: { text: '{gone}' } }), /a\.jsonl:1: has no text/)
  })

  it('names file and line of invalid records', async () => {
    const refused: [string, string, RegExp, ReadExamplesOptions?][] = [
      ['a.jsonl', '{"text":"a"}\n\n{"text":\n', /a\.jsonl:3: not valid JSON/],
      ['b.jsonl', '{"text":"a"}\n{"text":7}\n', /b\.jsonl:2: as text, "text":/],
      ['c.jsonl', '{"title":"a"}\n', /c\.jsonl:1: expected an object with the keys of a known format/],
      ['d.jsonl', '{"instruction":"a","output":" "}\n', /d\.jsonl:1: as alpaca, "output": must not be empty/],
      ['e.jsonl', '{"messages":[{"role":"user","content":"a"}]}\n', /e\.jsonl:1: has no assistant message/],
      ['f.jsonl', '{"messages":[{"role":"user"}]}\n', /f\.jsonl:1: as messages, "messages\.0\.content"/],
      ['g.jsonl', '\n', /g\.jsonl contains no documents/],
      ['h.json', '[{"text":"a"},7]', /h\.json:record 2: as text/],
      ['i.jsonl', '{"text":"a"}\n', /i\.jsonl:1: as dolly, "instruction"/, { format: 'dolly' }],
      ['j.txt', '', /j\.txt contains no documents/]
    ]
    for (const [name, text, message, options] of refused)
      await assert.rejects(readExamples(await put(name, text), options), message)
    await assert.rejects(readExamples(path('missing')), /no data found at/)
    await mkdir(path('empty'))
    await assert.rejects(readExamples(path('empty')), /contains no data/)
    await writeFile(path('k.txt'), Uint8Array.of(0xff, 0xfe))
    await assert.rejects(readExamples(path('k.txt')), /k\.txt:1: is UTF-16, not UTF-8 text/)
  })
})
