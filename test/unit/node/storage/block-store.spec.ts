import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_BYTES_MAX } from '../../../../src/adapter/index.ts'
import { sha256Hex } from '../../../../src/formats/index.ts'
import { BlockStore, StoreError } from '../../../../src/node/storage/index.ts'

describe('the block store', () => {
  let home: string
  let store: BlockStore
  let warnings: string[]
  const bytes = Buffer.from('some block')
  const digest = sha256Hex(bytes)
  const ignore = () => undefined

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'loam-blocks-'))
    warnings = []
    const warn = (_fields: object, message: string) => void warnings.push(message)
    store = await BlockStore.open(home, { debug: ignore, info: ignore, warn, error: ignore })
  })
  afterEach(() => rm(home, { recursive: true }))

  it('keeps a block under its digest when reopened', async () => {
    assert.equal(await store.get(digest), undefined)
    assert.equal(await store.has(digest), false)
    await Promise.all([store.put(digest, bytes), store.put(digest, bytes)])
    await store.put(digest, bytes)
    const again = await BlockStore.open(home, { debug: ignore, info: ignore, warn: ignore, error: ignore })
    assert.deepEqual(Buffer.from((await again.get(digest))!), bytes)
    assert.equal(await again.has(digest), true)
    assert.deepEqual(await again.list(), [digest])
    assert.deepEqual(await readFile(join(home, 'blocks', digest)), bytes)
    assert.deepEqual(await readdir(join(home, 'blocks')), [digest])
    await again.delete(digest)
    await again.delete(digest)
    assert.deepEqual(await again.list(), [])
  })

  it('treats a damaged block as missing, removes it, logs it, and stores it again', async () => {
    const flipped = Uint8Array.from(bytes)
    flipped[3]! ^= 1
    for (const damaged of [
      flipped,
      bytes.subarray(1),
      Buffer.alloc(0),
      new Uint8Array(BLOCK_BYTES_MAX + 1)
    ]) {
      warnings = []
      await writeFile(join(home, 'blocks', digest), damaged)
      assert.equal(await store.get(digest), undefined)
      assert.match(warnings.join(), /damaged; it was removed/)
      assert.equal(await store.has(digest), false)
      await store.put(digest, bytes)
      assert.deepEqual(Buffer.from((await store.get(digest))!), bytes)
    }
    await writeFile(join(home, 'blocks', digest), flipped)
    await store.put(digest, bytes)
    assert.deepEqual(Buffer.from((await store.get(digest))!), bytes)
  })

  it('refuses bytes that do not match the digest, too many bytes, and invalid names', async () => {
    await assert.rejects(store.put(digest, Buffer.from('other')), /does not have the bytes/)
    const large = new Uint8Array(BLOCK_BYTES_MAX + 1)
    await assert.rejects(store.put(sha256Hex(large), large), /at most 1048576/)
    for (const name of ['', '../../etc/passwd', digest.toUpperCase(), `${digest}0`, digest.slice(1)]) {
      await assert.rejects(store.get(name), StoreError)
      await assert.rejects(store.put(name, bytes), StoreError)
      await assert.rejects(store.delete(name), StoreError)
      await assert.rejects(store.has(name), StoreError)
    }
    assert.deepEqual(await store.list(), [])
  })

  it('serves a verified block without rehashing it, unless the file was touched', async () => {
    await store.put(digest, bytes)
    const path = join(home, 'blocks', digest)
    const flipped = Uint8Array.from(bytes)
    flipped[3]! ^= 1
    const servedAfter = async (writtenAtSeconds: number) => {
      await writeFile(path, flipped)
      await utimes(path, writtenAtSeconds, writtenAtSeconds)
      return store.getToServe(digest)
    }
    const long = Date.now() / 1000
    // For speed, damage that does not change the file's time is left to the receiver to detect; `get` detects it too.
    assert.deepEqual(Buffer.from((await servedAfter(long - 3600))!), Buffer.from(flipped))
    assert.equal(await store.get(digest), undefined)
    await store.put(digest, bytes)
    assert.equal(await servedAfter(long + 3600), undefined)
    assert.match(warnings.join(), /damaged; it was removed/)
    const again = await BlockStore.open(home, { debug: ignore, info: ignore, warn: ignore, error: ignore })
    await writeFile(path, flipped)
    assert.equal(await again.getToServe(digest), undefined)
  })

  it('writes long blocks before the flush, and reports one that could not be written', async () => {
    const blocks = Array.from({ length: 12 }, (_, index) => new Uint8Array(100_000).fill(index + 1))
    const digests = blocks.map(sha256Hex)
    await Promise.all(blocks.map((block, index) => store.putVerified(digests[index]!, block)))
    await store.flush(digests)
    for (const [index, block] of blocks.entries())
      assert.deepEqual(Buffer.from((await store.get(digests[index]!))!), Buffer.from(block))
    await store.putVerified(digests[0]!, blocks[0]!)
    await rm(join(home, 'blocks'), { recursive: true })
    await assert.rejects(store.flush(digests), StoreError)
    await assert.rejects(store.putVerified(digests[0]!, blocks[0]!), StoreError)
  })

  it('removes the remains of interrupted writes, and lists only blocks', async () => {
    await writeFile(join(home, 'blocks', `${digest}.0badcafe.tmp`), 'half')
    await writeFile(join(home, 'blocks', 'notes'), 'not a block')
    await store.put(digest, bytes)
    await BlockStore.open(home, { debug: ignore, info: ignore, warn: ignore, error: ignore })
    assert.deepEqual((await readdir(join(home, 'blocks'))).sort(), [digest, 'notes'])
    assert.deepEqual(await store.list(), [digest])
  })

  it('names a folder that cannot be opened', async () => {
    await writeFile(join(home, 'file'), '')
    const opened = BlockStore.open(join(home, 'file'), {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: ignore
    })
    await assert.rejects(
      opened,
      (error) => error instanceof StoreError && error.message.includes(join(home, 'file'))
    )
  })
})
