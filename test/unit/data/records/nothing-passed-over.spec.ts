import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type ReadExamplesOptions, readExamples } from '../../../../src/data/index.ts'

const lines = (...records: unknown[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('')
const QUESTION = { role: 'user', content: 'Is the tide in?' }
const ANSWER = { role: 'assistant', content: 'It is out.' }

describe('training data, of which nothing is ignored silently', () => {
  let folder: string
  const path = (name: string): string => join(folder, name)
  const put = async (name: string, contents: string | Uint8Array): Promise<string> => {
    await writeFile(path(name), contents)
    return path(name)
  }
  const read = async (name: string, contents: string | Uint8Array, options: ReadExamplesOptions = {}) =>
    readExamples(await put(name, contents), options)
  const refused = (record: object, message: RegExp, options: ReadExamplesOptions = {}) =>
    assert.rejects(read('a.jsonl', lines(record), options), message)
  const messagesOf = async (record: object) => {
    const { examples } = await read('a.jsonl', lines(record))
    const [{ content }] = examples as [(typeof examples)[number]]
    assert(content.kind === 'chat')
    return content
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-data-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('refuses keys that change what a record means, and names other unused ones', async () => {
    const alpaca = { instruction: 'Name a fish.', output: 'Cod.' }
    await refused(
      { ...alpaca, system: 'Be brief.' },
      /"system" is not supported in alpaca records: .*messages/
    )
    await refused({ ...alpaca, history: [['a', 'b']] }, /"history" is not supported/)
    await refused({ prompt: 'a', completion: 'b', images: ['x.png'] }, /"images" is not supported.*only text/)
    for (const key of ['system_prompt', 'system_message'])
      await refused(
        { messages: [QUESTION, ANSWER], [key]: 'Be brief.' },
        new RegExp(`"${key}" is not supported in messages records: write it as "system"`)
      )
    const { unread } = await read(
      'b.jsonl',
      lines({ ...alpaca, system: '', history: [], url: 'x' }, { ...alpaca, url: 'y', id: 3 })
    )
    assert.deepEqual(
      [...unread],
      [
        ['url', 2],
        ['id', 1]
      ]
    )
  })

  it('reads system and tools of conversations, in either form', async () => {
    const shared = {
      conversations: [
        { from: 'human', value: 'a' },
        { from: 'gpt', value: 'b' }
      ],
      system: 'S',
      tools: '[{"name":"t"}]'
    }
    const { messages, tools } = await messagesOf(shared)
    assert.deepEqual(messages[0], { role: 'system', content: 'S' })
    assert.deepEqual(tools, [{ name: 't' }])
    const calling = await messagesOf({
      conversations: [
        { from: 'human', value: 'a' },
        { from: 'function_call', value: '{"name":"t","arguments":{"n":1}}' },
        { from: 'observation', value: '2' },
        { from: 'gpt', value: 'b' }
      ]
    })
    assert.deepEqual(
      calling.messages.map(({ role }) => role),
      ['user', 'assistant', 'tool', 'assistant']
    )
    assert.deepEqual(calling.messages[1]!.extra, {
      tool_calls: [{ type: 'function', function: { name: 't', arguments: { n: 1 } } }]
    })
    await refused(
      { conversations: [{ from: 'narrator', value: 'a' }] },
      /"conversations\.0\.from": "narrator" is not one of/
    )
  })

  it('reads text parts, tool calls, and answers without text; refuses other content', async () => {
    const parts = [
      { type: 'text', text: 'Is it ' },
      { type: 'text', text: 'in?' }
    ]
    const call = { id: 'c', type: 'function', function: { name: 't', arguments: '{"n":1}' } }
    const { messages } = await messagesOf({
      messages: [
        { role: 'user', content: parts },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', content: '2', tool_call_id: 'c' },
        ANSWER
      ]
    })
    assert.equal(messages[0]!.content, 'Is it in?')
    assert.deepEqual(messages[1], {
      role: 'assistant',
      extra: { tool_calls: [{ ...call, function: { name: 't', arguments: { n: 1 } } }] }
    })
    assert.deepEqual(messages[2]!.extra, { tool_call_id: 'c' })
    const image = [{ type: 'image_url', image_url: 'x' }]
    await refused(
      { messages: [{ role: 'user', content: image }, ANSWER] },
      /"messages\.0\.content": a part of type "image_url"/
    )
    await refused(
      { messages: [QUESTION, { role: 'assistant', content: null }] },
      /"messages\.1\.content": is missing/
    )
    await refused(
      { messages: [QUESTION, { role: 'assistant', content: ' ' }] },
      /"messages\.1\.content": an empty answer/
    )
    await refused(
      { messages: [QUESTION, { ...ANSWER, function_call: {} }] },
      /"messages\.1\.function_call": is not supported/
    )
  })

  it('does not train on answers marked as bad, and counts such records', async () => {
    const marked = await messagesOf({
      messages: [QUESTION, { ...ANSWER, weight: 0 }, QUESTION, { ...ANSWER, train: true }]
    })
    assert.deepEqual(
      marked.messages.map(({ isLearned }) => isLearned),
      [undefined, false, undefined, true]
    )
    await refused(
      { messages: [QUESTION, { ...ANSWER, weight: 0.5 }] },
      /"messages\.1\.weight": 0\.5 is not supported/
    )
    const lossless = await messagesOf({ messages: [QUESTION, { ...ANSWER, loss: false }, QUESTION, ANSWER] })
    assert.equal(lossless.messages[1]!.isLearned, false)
    await refused(
      { messages: [QUESTION, { ...ANSWER, mask: true }] },
      /"messages\.1\.mask": is not supported.*"weight": 0/
    )
    await refused(
      { messages: [QUESTION, { ...ANSWER, role: 'Assistant' }] },
      /its roles are "user", "Assistant", and the role of an answer is "assistant"/
    )
    const kto = lines(
      { prompt: 'a', completion: 'bad', label: false },
      { prompt: 'a', completion: 'good', label: true }
    )
    const { examples, unlearned } = await read('b.jsonl', kto)
    assert.deepEqual([examples.length, unlearned], [1, 1])
    for (const label of [0, 1])
      await refused({ prompt: 'a', completion: 'b', label }, /"label": [01] may be a class, or a verdict/)
    // A text class, and a class of one-word completions.
    assert.equal((await read('c.jsonl', lines({ text: 'ham', label: false }))).examples.length, 1)
    assert.equal(
      (await read('d.jsonl', lines({ prompt: 'a', completion: 'b', label: 'ham' }))).examples[0]!.label,
      'ham'
    )
    for (const mark of [{ train: false }, { trainable: false }, { loss: 0 }, { learn: false }])
      await assert.rejects(
        read('e.jsonl', lines({ prompt: 'a', completion: 'b', ...mark })),
        /all 1 records say/
      )
    const passed = await messagesOf({ messages: [QUESTION, { ...ANSWER, learn: false }, QUESTION, ANSWER] })
    assert.equal(passed.messages[1]!.isLearned, false)
    for (const key of ['mask', 'loss_mask'])
      await refused(
        { messages: [QUESTION, ANSWER], [key]: [0, 1] },
        new RegExp(`"${key}" is not supported.*"weight": 0`)
      )
    // A loss that was measured says nothing about learning.
    assert.equal(
      (await read('f.jsonl', lines({ prompt: 'a', completion: 'b', loss: 2.5 }))).examples.length,
      1
    )
  })

  it('reads prompts and completions that are conversations', async () => {
    const { messages } = await messagesOf({ prompt: [QUESTION, ANSWER, QUESTION], completion: [ANSWER] })
    assert.deepEqual(
      messages.map(({ isLearned }) => isLearned),
      [false, false, false, undefined]
    )
    await refused({ prompt: [QUESTION], completion: 'b' }, /as completion/)
    await refused({ prompt: 'a', chosen: 'b', rejected: 'c' }, /preference pair/)
  })

  it('asks for --format if two formats match, unless the text repeats the rest of the record', async () => {
    const alpaca = { instruction: 'Name a fish.', output: 'Cod.' }
    const written = await read('a.jsonl', lines({ ...alpaca, text: 'Q: Name a fish.\nA: Cod.' }))
    assert.equal(written.format, 'alpaca')
    await refused(
      { ...alpaca, text: 'Something else.' },
      /several formats match, text and alpaca: choose one with --format/
    )
    await refused({ ...alpaca, response: 'Ling.' }, /alpaca and dolly/)
    assert.equal(
      (await read('b.jsonl', lines({ ...alpaca, text: 'Else.' }), { format: 'text' })).format,
      'text'
    )
  })

  it('reports all bad records at once, and skips as many as allowed', async () => {
    const bad = `${lines({ text: 'a' }, { text: '' })}{"text":\n${lines({ text: 'b' }, { text: '' }, 7)}`
    await assert.rejects(read('a.jsonl', bad), (error: Error) => {
      assert.match(error.message, /^4 of 6 records are invalid: .*--skip-bad 4/)
      assert.match(error.message, /a\.jsonl:2, 5: as text, "text": must not be empty/)
      assert.match(error.message, /a\.jsonl:3: not valid JSON/)
      return true
    })
    const { examples, bad: passed } = await read('b.jsonl', bad, { skipBad: 4 })
    assert.deepEqual([examples.length, passed.length], [2, 4])
    await assert.rejects(read('c.jsonl', bad, { skipBad: 3 }), /4 of 6 records are invalid; 3 may be skipped/)
  })

  it('skips a folder’s descriptions, other splits and unsupported formats, and names them', async () => {
    await mkdir(path('data'))
    for (const name of [
      'README.md',
      'dataset_infos.json',
      'data/test-00000-of-00001.jsonl',
      'validation.csv'
    ])
      await put(name, '{"text":"not for training"}')
    await put('data/train.jsonl', lines({ text: 'one' }))
    await put('more.jsonl.gz', gzipSync(lines({ text: 'two' })))
    await put('c.arrow', 'PAR1')
    await put('cover.png', 'x')
    const { examples, passedOver } = await readExamples(folder)
    assert.deepEqual(
      examples.map(({ content }) => content.kind === 'text' && content.text),
      ['one', 'two']
    )
    assert.deepEqual(
      passedOver.map(({ file }) => file.slice(folder.length + 1)),
      [
        'README.md',
        'c.arrow',
        'data/test-00000-of-00001.jsonl',
        'dataset_infos.json',
        'validation.csv',
        'cover.png'
      ]
    )
    // A file named directly is read.
    assert.equal((await readExamples(path('data/test-00000-of-00001.jsonl'))).examples.length, 1)
    await assert.rejects(readExamples(path('c.arrow')), /Arrow is not supported: write it as Parquet/)
    await rm(path('data'), { recursive: true })
    await rm(path('more.jsonl.gz'))
    await assert.rejects(
      readExamples(folder),
      /contains no data: .*README\.md: describes the data.*give the path of a file itself/s
    )
  })

  it('keeps notes of any name unless a training file is beside them', async () => {
    await put('test-plan.md', 'Plan.')
    await put('dev notes.txt', 'Notes.')
    assert.equal((await readExamples(folder)).examples.length, 2)
    await put('train.txt', 'Text.')
    assert.deepEqual((await readExamples(folder)).examples.length, 1)
  })

  it('reads files with a byte order mark, and lines that contain U+2028', async () => {
    const records = lines({ text: 'one \u2028 half' }, { text: 'two' })
    for (const [name, contents] of [
      ['a.jsonl', records],
      ['a.json', JSON.stringify([{ text: 'one' }, { text: 'two' }])],
      ['a.csv', 'text\none\ntwo\n'],
      ['unknown', records]
    ] as const)
      assert.equal((await read(name, `\ufeff${contents}`)).examples.length, 2, name)
  })

  it('refuses other encodings in every format, with the line', async () => {
    for (const name of ['a.jsonl', 'a.json', 'a.csv', 'a.tsv', 'a.txt', 'a.md', 'unknown']) {
      const latin1 = Buffer.concat([Buffer.from('text\n{"text":"caf'), Buffer.of(0xe9), Buffer.from('"}\n')])
      await assert.rejects(read(name, latin1), new RegExp(`${name}:2: is not UTF-8 text`))
      await assert.rejects(read(name, Buffer.from('text\nabc\n', 'utf16le')), /:1: is UTF-16/)
    }
  })

  it('refuses half a character that JSON escapes, which would be learned as U+FFFD', async () => {
    const half = String.raw`{"text":"cut \ud83d off"}`
    const whole = String.raw`{"text":"whole \ud83d\ude00"}`
    await assert.rejects(
      read('a.jsonl', `${whole}\n${half}\n`),
      /a\.jsonl:2: "text": contains half a character/
    )
    await assert.rejects(read('b.json', `[${whole},${half}]`), /b\.json:record 2: "text": contains half/)
    const nested = String.raw`{"messages":[{"role":"user","content":"\udc00"},{"role":"assistant","content":"b"}]}`
    await assert.rejects(read('c.jsonl', nested), /c\.jsonl:1: "messages\.0\.content": contains half/)
    assert.equal((await read('d.jsonl', `${whole}\n`)).examples.length, 1)
  })

  it('reads JSON that has a record on each line, as data sets are often saved', async () => {
    const { examples } = await read('a.json', lines({ text: 'one' }, { text: 'two' }))
    assert.deepEqual(
      examples.map(({ source }) => source.slice(-8)),
      ['a.json:1', 'a.json:2']
    )
    await assert.rejects(read('b.json', '{"text": "one"}\nmore\n'), /b\.json:2: not valid JSON/)
    await assert.rejects(read('c.json', '[{"text": "one"},]'), /c\.json:1: not valid JSON/)
  })

  it('reads compressed files, and names truncated ones and those that are not gzip', async () => {
    const packed = gzipSync(lines({ text: 'one' }))
    assert.equal((await read('a.jsonl.gz', packed)).examples.length, 1)
    assert.equal((await read('a.csv.gz', gzipSync('text\none\n'))).examples.length, 1)
    await assert.rejects(read('b.jsonl.gz', packed.subarray(0, 20)), /b\.jsonl.gz is truncated/)
    await assert.rejects(read('c.jsonl.gz', 'plain'), /c\.jsonl\.gz is not a gzip file/)
  })

  it('splits a CSV by the delimiter of its header, and reports faults by line', async () => {
    const semicolons = await read('a.csv', 'text;label\n"eins; zwei";a\ndrei, vier;b\n')
    assert.deepEqual(
      semicolons.examples.map(({ content }) => content.kind === 'text' && content.text),
      ['eins; zwei', 'drei, vier']
    )
    await assert.rejects(read('b.csv', 'text,text\na,b\n'), /b\.csv:1: the column "text" is repeated/)
    await assert.rejects(
      read('c.csv', 'Text,Label\na,b\n'),
      /c\.csv:2: .*"Text", "Label", which must be lowercase/
    )
    await assert.rejects(read('d.csv', 'text\nsaid "hello" to me\n'), /d\.csv:2: Invalid Opening Quote/)
    await assert.rejects(read('e.csv', 'text\nfine\n"an unclosed\n'), /e\.csv:\d+: Quote Not Closed/)
    const some = await read('f.csv', 'text,label\na,b\nc\nd,e\n', { skipBad: 1 })
    assert.deepEqual([some.examples.length, some.bad.map(({ source }) => source.slice(-7))], [2, ['f.csv:3']])
  })
})
