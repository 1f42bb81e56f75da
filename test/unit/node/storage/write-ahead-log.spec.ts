import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { StoreError } from '../../../../src/node/storage/store-error.ts'
import { openWriteAheadLog, RECORD_BYTES_MAX } from '../../../../src/node/storage/write-ahead-log.ts'

const text = (records: readonly Uint8Array[]) => records.map((record) => Buffer.from(record).toString())

describe('the write-ahead log', () => {
  let folder: string
  let path: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-log-'))
    path = join(folder, 'log')
  })
  afterEach(() => rm(folder, { recursive: true }))

  /** A log of these records, written and closed. */
  const written = async (...records: string[]) => {
    const log = await openWriteAheadLog(path)
    for (const record of records) await log.append(Buffer.from(record))
    await log.close()
    return readFile(path)
  }
  const reopened = async () => {
    const log = await openWriteAheadLog(path)
    const result = { records: text(log.records), tornBytes: log.tornBytes }
    await log.close()
    return result
  }

  it('returns the records in order, and continues after them', async () => {
    await written('one', 'two')
    await written('three')
    assert.deepEqual(await reopened(), { records: ['one', 'two', 'three'], tornBytes: 0 })
  })

  it('writes overlapping appends in call order', async () => {
    const log = await openWriteAheadLog(path)
    const expected = Array.from({ length: 30 }, (_, i) => `record ${i}`)
    await Promise.all(expected.map((record) => log.append(Buffer.from(record))))
    assert.deepEqual(text(log.records), expected)
    await log.close()
    assert.deepEqual((await reopened()).records, expected)
  })

  it('has an append on the disk when it resolves', async () => {
    const log = await openWriteAheadLog(path)
    await log.append(Buffer.from('vote'))
    assert((await readFile(path)).includes('vote'))
    await log.close()
  })

  it('truncates a torn tail at every length, reports its size, and continues', async () => {
    const before = (await written('one', 'two')).length
    const whole = await written('a third record')
    for (let length = before; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length))
      assert.deepEqual(await reopened(), { records: ['one', 'two'], tornBytes: length - before })
      await written('next')
      assert.deepEqual(await reopened(), { records: ['one', 'two', 'next'], tornBytes: 0 })
    }
  })

  it('treats a tail of zeros, as left by a power cut, as torn', async () => {
    await written('one')
    await appendFile(path, new Uint8Array(5000))
    assert.deepEqual(await reopened(), { records: ['one'], tornBytes: 5000 })
  })

  it('never returns a wrong record: a flipped bit is refused, or is in the last record', async () => {
    const records = ['one', 'two', 'three']
    const whole = await written(...records)
    const last = whole.length - 12 - 'three'.length
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length * 8 - 1 }), async (bit) => {
        const bytes = Buffer.from(whole)
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        await writeFile(path, bytes)
        const opened = await reopened().catch((error: unknown) => error)
        if (opened instanceof Error) assert(opened instanceof StoreError, String(opened))
        else {
          assert(bit >> 3 >= last, `bit ${bit} was not noticed`)
          assert.deepEqual(opened, { records: ['one', 'two'], tornBytes: whole.length - last })
        }
      })
    )
  })

  it('refuses damage in the middle with its location, and leaves the file unchanged', async () => {
    const bytes = await written('one', 'two')
    bytes[8 + 12]! ^= 1
    await writeFile(path, bytes)
    await assert.rejects(openWriteAheadLog(path), /damaged at byte 8, before further records/)
    assert.deepEqual(await readFile(path), bytes)
  })

  it('refuses a file that is not a log', async () => {
    await writeFile(path, 'something else')
    await assert.rejects(openWriteAheadLog(path), /not a log of this version/)
    await truncate(path, 0)
    await assert.rejects(openWriteAheadLog(path), /not a log of this version/)
  })

  it('replaces its records atomically, and continues after them', async () => {
    const log = await openWriteAheadLog(path)
    await log.append(Buffer.from('old'))
    await log.rewrite([Buffer.from('kept'), Buffer.from('kept too')])
    await log.append(Buffer.from('new'))
    assert.deepEqual(text(log.records), ['kept', 'kept too', 'new'])
    await log.close()
    assert.deepEqual((await reopened()).records, ['kept', 'kept too', 'new'])
  })

  it('applies a retention rule to the appends called before it', async () => {
    const log = await openWriteAheadLog(path)
    await log.append(Buffer.from('round 1'))
    const pending = log.append(Buffer.from('round 2'))
    await log.retain((record) => Buffer.from(record).toString() !== 'round 1')
    await pending
    await log.close()
    assert.deepEqual((await reopened()).records, ['round 2'])
  })

  it('refuses empty and oversized records, and any call after close', async () => {
    const log = await openWriteAheadLog(path)
    await assert.rejects(log.append(new Uint8Array()), /0 bytes is not logged/)
    await assert.rejects(log.append(new Uint8Array(RECORD_BYTES_MAX + 1)), /is not logged/)
    await log.append(Buffer.from('fine'))
    await log.close()
    await assert.rejects(log.append(Buffer.from('late')), /is closed/)
    assert.deepEqual((await reopened()).records, ['fine'])
  })

  it('stays intact and usable when the disk is full', function () {
    if (process.platform === 'win32') this.skip()
    // A process whose files may not exceed 4 KiB: a write fails midway as on a full disk.
    const module = new URL('../../../../src/node/storage/write-ahead-log.js', import.meta.url)
    const script = `
      const { openWriteAheadLog } = await import(${JSON.stringify(module.href)})
      const log = await openWriteAheadLog(${JSON.stringify(path)})
      await log.append(Buffer.alloc(1000, 'a'))
      const refused = await log.append(Buffer.alloc(9000, 'b')).then(() => 'taken', (error) => error.name)
      await log.append(Buffer.alloc(1000, 'c'))
      await log.close()
      const again = await openWriteAheadLog(${JSON.stringify(path)})
      console.log(JSON.stringify([refused, again.tornBytes, again.records.map((r) => r.length)]))`
    // ulimit -f counts blocks of 1024 bytes in bash; the signal must be ignored for the write to return an error.
    const run = spawnSync('bash', [
      '-c',
      `trap '' XFSZ; ulimit -f 4; exec "$0" --input-type=module -e "$1"`,
      process.execPath,
      script
    ])
    assert.equal(run.stderr.toString(), '')
    assert.deepEqual(JSON.parse(run.stdout.toString()), ['StoreError', 0, [1000, 1000]])
  })
})
