import assert from 'node:assert/strict'
import { appendFile, mkdir, mkdtemp, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type CorpusReader,
  type CorpusSettings,
  createCorpusReader,
  loadTokenizer,
  loadTrainingData
} from '../../../../src/model/index.ts'
import { packageRoot } from '../../../../src/package-root.ts'

const MODEL = join(packageRoot(), 'models', 'loam-base-1m')

describe('corpus reader', () => {
  let folder: string
  let data: string
  let reader: CorpusReader
  let encoded: number
  const settings: CorpusSettings = { loss: 'completions' }
  const plain = loadTokenizer(MODEL)
  const tokenizer = {
    ...plain,
    encode: (text: string) => {
      encoded++
      return plain.encode(text)
    }
  }
  const line = (text: string) => `${JSON.stringify({ text })}\n`
  const read = (changes: Partial<CorpusSettings> = {}, path = data) =>
    reader.read(path, { ...settings, ...changes }, { folder, tokenizer })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-corpus-'))
    data = join(folder, 'data')
    await mkdir(data)
    await writeFile(join(folder, 'tokenizer_config.json'), '{}')
    await writeFile(join(data, 'a.jsonl'), line('one') + line('two'))
    reader = createCorpusReader()
    encoded = 0
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('reads and tokenizes once while the files are unchanged', async () => {
    const first = await read()
    assert.deepEqual([first.examples.length, first.isText, first.format], [2, true, 'text'])
    const once = encoded
    assert(once > 0)
    assert.equal(await read(), first)
    assert.equal(encoded, once)
  })

  it('rereads what was appended, replaced, added or removed', async () => {
    const counts = [(await read()).examples.length]
    const change = async (act: () => Promise<unknown>) => {
      await act()
      counts.push((await read()).examples.length)
    }
    await change(() => appendFile(join(data, 'a.jsonl'), line('three')))
    await change(() => writeFile(join(data, 'b.jsonl'), line('four')))
    await change(() => rm(join(data, 'a.jsonl')))
    assert.deepEqual(counts, [2, 3, 4, 1])
  })

  it('rereads a changed file of the same size and time', async () => {
    const path = join(data, 'a.jsonl')
    const { atime, mtime } = await stat(path)
    const before = await read()
    await writeFile(join(folder, 'other'), line('six') + line('ten'))
    await utimes(join(folder, 'other'), atime, mtime)
    await rename(join(folder, 'other'), path)
    const after = await read()
    assert.notDeepEqual(after.examples, before.examples)
    assert.deepEqual(
      after.examples,
      (await createCorpusReader().read(data, settings, { folder, tokenizer })).examples
    )
  })

  it('caches one corpus per way of reading it, and notices a changed template file', async () => {
    const chat = {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' }
      ]
    }
    await writeFile(join(folder, 'chat.jsonl'), JSON.stringify(chat))
    const template = join(folder, 'template.jinja')
    const render = (mark: string) => `{% for m in messages %}${mark}{{ m['content'] }}{% endfor %}`
    await writeFile(template, render('-'))
    const changes: Partial<CorpusSettings> = { loss: 'all', chatTemplate: template }
    const before = await read(changes, join(folder, 'chat.jsonl'))
    assert.equal(await read(changes, join(folder, 'chat.jsonl')), before)
    assert.notDeepEqual(
      (await read({ ...changes, loss: 'completions' }, join(folder, 'chat.jsonl'))).examples,
      before.examples
    )
    await writeFile(template, render('+'))
    assert.notDeepEqual((await read(changes, join(folder, 'chat.jsonl'))).examples, before.examples)
  })

  it('forgets a corpus that became unreadable, and reports the error each time', async () => {
    await read()
    await appendFile(join(data, 'a.jsonl'), '{')
    await assert.rejects(read(), /a\.jsonl:3/)
    await assert.rejects(read(), /a\.jsonl:3/)
    await writeFile(join(data, 'a.jsonl'), line('one'))
    assert.equal((await read()).examples.length, 1)
  })

  it('gives the same batches from the cache as from a fresh read', async () => {
    await writeFile(join(data, 'a.jsonl'), Array.from({ length: 9 }, (_, i) => line(`text ${i}`)).join(''))
    const options = { ...settings, data, folder, tokenizer, batchSize: 2, sequenceLength: 8, heldOut: 0.3 }
    for (const seed of [1, 2]) {
      encoded = 0
      const kept = await loadTrainingData({ ...options, seed }, reader)
      assert.equal(encoded > 0, seed === 1)
      const fresh = await loadTrainingData({ ...options, seed })
      assert.deepEqual([kept.examples, kept.heldOutExamples], [6, 3])
      assert.equal(kept.digest(), fresh.digest())
      assert.deepEqual(kept.stream.nextBatch(3), fresh.stream.nextBatch(3))
    }
  })
})
