import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { readExamples } from '../../../../src/data/index.ts'
import { readParquetRecords } from '../../../../src/data/records/parquet-records.ts'
import { loadZstd } from '../../../../src/formats/index.ts'
import { PARQUET_FILES, ZSTD_FRAMES } from './packed-files.ts'

const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64')
const LINES = '{"text":"first"}\n{"text":"second"}\n'
const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n'

describe('compressed data and Parquet', () => {
  let folder: string
  const path = (name: string): string => join(folder, name)
  const put = async (name: string, contents: string | Uint8Array): Promise<string> => {
    await mkdir(dirname(path(name)), { recursive: true })
    await writeFile(path(name), contents)
    return path(name)
  }
  const read = async (name: string, contents: string | Uint8Array) => readExamples(await put(name, contents))
  const refused = (name: string, contents: string | Uint8Array, message: RegExp) =>
    assert.rejects(read(name, contents), (error: Error) => {
      assert.match(error.message, message)
      assert(error.message.startsWith(path(name)), error.message)
      return true
    })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-packed-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('reads every text format compressed with gzip or zstd', async () => {
    const { compress } = await loadZstd()
    const csv = 'instruction,output\nName a fish.,Cod.\n'
    for (const [ending, text, count] of [
      ['.jsonl', LINES, 2],
      ['.json', '[{"text":"first"}]', 1],
      ['.csv', csv, 1],
      ['.tsv', csv.replaceAll(',', '\t'), 1],
      ['.txt', 'The tide is out.', 1],
      ['', LINES, 2]
    ] as const)
      for (const [packing, packed] of [
        ['.gz', gzipSync(text)],
        ['.zst', compress(Buffer.from(text))],
        ['.ZST', compress(Buffer.from(text))]
      ] as const) {
        const { examples } = await read(`a${ending}${packing}`, packed)
        assert.equal(examples.length, count, `${ending}${packing}`)
      }
  })

  it('reads concatenated zstd frames of undeclared length, and skippable frames', async () => {
    const { examples } = await read('a.jsonl.zst', bytes(ZSTD_FRAMES))
    assert.deepEqual(
      examples.map(({ content }) => content),
      [
        { kind: 'text', text: 'first' },
        { kind: 'text', text: 'second' }
      ]
    )
  })

  it('refuses zstd and gzip files that are damaged, truncated, or named for another format', async () => {
    const zstd = bytes(ZSTD_FRAMES)
    const gzip = gzipSync(LINES)
    await refused('cut.jsonl.zst', zstd.subarray(0, -3), /is truncated: download it again/)
    await refused('short.jsonl.zst', zstd.subarray(0, 6), /is truncated/)
    const flipped = Buffer.from(zstd)
    flipped[12]! ^= 1
    await refused('flipped.jsonl.zst', flipped, /is damaged/)
    await refused('plain.jsonl.zst', LINES, /is not a zstd file/)
    await refused('plain.jsonl.gz', LINES, /is not a gzip file/)
    await refused('cut.jsonl.gz', gzip.subarray(0, -12), /is truncated/)
    await refused('named.jsonl', gzip, /is compressed with gzip: name it with \.gz/)
    await refused('named.txt', zstd, /is compressed with zstd: name it with \.zst/)
    await refused('named.csv', bytes(PARQUET_FILES.gzip), /is a Parquet file/)
    await refused('a.tar.gz', gzip, /TAR is not supported: unpack it/)
    await refused('zero.txt', 'a\nb\0', /:2: contains a zero byte/)
  })

  it('reads or refuses, naming the file, any bytes in and after a zstd frame', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), fc.nat(40), async (noise, at) => {
        const frames = bytes(ZSTD_FRAMES)
        frames.set(noise.subarray(0, Math.max(0, frames.length - at)), Math.min(at, frames.length))
        await read('a.jsonl.zst', frames).catch((error: Error) =>
          assert.match(error.message, /a\.jsonl\.zst/)
        )
      }),
      { numRuns: 50 }
    )
  })

  it('reads Parquet one row group at a time', async () => {
    for (const name of ['snappy', 'gzip', 'zstdGroups'] as const) {
      const { examples, format } = await read(`${name}.parquet`, bytes(PARQUET_FILES[name]))
      assert.equal(format, 'alpaca')
      assert.equal(examples.length, 5)
      const last = examples[4]!
      assert.equal(last.source, `${path(`${name}.parquet`)}:row 5`)
      assert(last.content.kind === 'completion')
      assert.equal(last.content.completion, 'Cod 4.')
      assert.match(last.content.prompt, /short/)
    }
  })

  it('drops null members of nested records, which Parquet cannot leave out', async () => {
    const { examples, unread } = await read('chat.parquet', bytes(PARQUET_FILES.chat))
    const [{ content }] = examples as [(typeof examples)[number]]
    assert(content.kind === 'chat')
    assert.deepEqual(content.messages[1]!.extra, {
      tool_calls: [{ function: { name: 'tide', arguments: { at: 'noon' } } }]
    })
    assert.equal(content.messages[0]!.extra, undefined)
    assert.deepEqual([...unread], [['id', 1]])
  })

  it('refuses Parquet files that are damaged, truncated or of another compression, and bytes that are not text', async () => {
    const whole = bytes(PARQUET_FILES.snappy)
    await refused('cut.parquet', whole.subarray(0, 300), /truncated/)
    await refused('empty.parquet', '', /truncated/)
    await refused(
      'lz4.parquet',
      bytes(PARQUET_FILES.lz4),
      /compressed with LZ4_RAW, which is not supported: write it/
    )
    await refused('bytes.parquet', bytes(PARQUET_FILES.bytes), /row 2: as text, "text": .*not UTF-8 text/)
  })

  it('gives one error for any damage of a Parquet file, in time', async () => {
    const whole = bytes(PARQUET_FILES.zstdGroups)
    // The first claims very many values, each of which would be materialised.
    for (const [at, by] of [
      [59, 0xff],
      [63, 0x80],
      [4, 0xff],
      [whole.length - 5, 1],
      [700, 0xff],
      [800, 0x10]
    ] as const) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= by
      const file = await put('a.parquet', damaged)
      try {
        for await (const { source } of readParquetRecords(file, 1000)) assert(source.startsWith(file))
      } catch (error) {
        assert((error as Error).message.startsWith(file), (error as Error).message)
      }
    }
  })

  it('names Git LFS pointers in every format', async () => {
    for (const name of ['a.jsonl', 'a.parquet', 'a.jsonl.gz', 'a.jsonl.zst', 'a.txt', 'a.csv'])
      await refused(name, POINTER, /is a Git LFS pointer, not the file itself: run/)
    await refused('a.json', '<!DOCTYPE html><html></html>', /is a web page/)
    assert.equal((await read('page.txt', '<html>about the web</html>')).examples.length, 1)
  })

  it('reads a folder in the layout of the Hugging Face hub; names test splits, cards and others', async () => {
    const parquet = bytes(PARQUET_FILES.snappy)
    await put('data/train-00000-of-00001.parquet', parquet)
    await put('data/test-00000-of-00001.parquet', parquet)
    await put('data/validation-00000-of-00001.parquet', parquet)
    await put('more/train.jsonl', LINES)
    await put('more/train.jsonl.gz', gzipSync(LINES))
    await put('README.md', '# Card\n')
    await put('dataset_infos.json', '{}')
    await put('load.py', '')
    await put('.gitattributes', '')
    const { examples, passedOver } = await readExamples(folder)
    assert.equal(examples.length, 7)
    assert.deepEqual(
      passedOver.map(({ file, reason }) => [file.slice(folder.length + 1), reason]),
      [
        ['README.md', 'describes the data'],
        ['data/test-00000-of-00001.parquet', 'not a training split'],
        ['data/validation-00000-of-00001.parquet', 'not a training split'],
        ['dataset_infos.json', 'describes the data'],
        ['more/train.jsonl.gz', 'is there decompressed, too'],
        ['load.py', 'not a data file by its extension']
      ]
    )
  })

  it('gives advice for preference pairs', async () => {
    const pair = { chosen: 'It is out.', rejected: 'Fish.' }
    const line = (record: object): string => `${JSON.stringify(record)}\n`
    await refused('a.jsonl', line({ prompt: 'Is it in?', ...pair }), /preference pair.*"\{chosen\}"/)
    await refused('b.jsonl', line(pair), /preference pair.*"text": "\{chosen\}"/)
    const messages = { chosen: [{ role: 'user', content: 'a' }], rejected: [] }
    await refused('c.jsonl', line(messages), /write it as "messages"/)
  })

  it('lists every reason if all records are invalid, however many may be skipped', async () => {
    const file = await put('a.jsonl', '{"a":1}\n{"a":2}\n')
    await assert.rejects(readExamples(file, { skipBad: 10 }), /2 of 2 records are invalid: .*correct them/s)
  })
})
