import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BASE_PROTOCOL, LIMITS } from '../../../src/node/base/base-protocol.ts'
import { fetchBase, weightBytesMax } from '../../../src/node/base/fetch-base.ts'
import { serveBase } from '../../../src/node/base/serve-base.ts'
import { homeAt } from '../../../src/node/home/home.ts'
import { registerRequestHandler, UploadLimit } from '../../../src/node/network/index.ts'
import { packageRoot } from '../../../src/package-root.ts'
import type { Charter } from '../../../src/protocol/index.ts'
import { encodeCanonical } from '../../../src/protocol/index.ts'
import { startHost, stopHosts, type TestHost, until } from './hosts.ts'

const CHARTER = new Uint8Array(32).fill(3)
const SHIPPED = join(packageRoot(), 'models', 'loam-base-1m')
const FILES = ['config.json', 'tokenizer.json', 'model.safetensors']

const digestOf = async (name: string) =>
  createHash('sha256')
    .update(await readFile(join(SHIPPED, name)))
    .digest()

describe('a base model from members', function () {
  this.timeout(60_000)
  let folder: string
  let asker: TestHost
  let base: Charter['base']
  let refused: Set<string>
  const home = () => homeAt(join(folder, 'asker'))

  /** A member that serves the shipped model, with some files changed. */
  const member = async (name: string, change: (path: string) => Promise<unknown> = async () => {}) => {
    const path = join(folder, name)
    await mkdir(path)
    for (const file of FILES) await copyFile(join(SHIPPED, file), join(path, file))
    await change(path)
    const host = await startHost({ bootstrap: [asker] })
    await serveBase(host, path, CHARTER, host.log)
    await until(() => asker.peers().some((peer) => peer.equals(host.peerId)))
    return host
  }
  const flipLast = (file: string) => async (path: string) => {
    const bytes = await readFile(join(path, file))
    bytes[bytes.length - 1]! ^= 1
    await writeFile(join(path, file), bytes)
  }
  const fetch = (signal = AbortSignal.timeout(50_000), onProgress = (_: { done: number }) => {}) =>
    fetchBase(
      { host: asker, charterId: CHARTER, log: asker.log, refused, progress: onProgress },
      home(),
      base,
      signal
    )
  const fits = async () => {
    for (const file of FILES)
      assert.deepEqual(await readFile(join(home().base, file)), await readFile(join(SHIPPED, file)))
    assert(!existsSync(home().basePartial))
  }
  const heard = (text: string) => asker.log.messages.some((message) => message.includes(text))

  before(async () => {
    const [config, tokenizer, weights] = await Promise.all(FILES.map(digestOf))
    base = { config: config!, tokenizer: tokenizer!, weights: weights!, modelDigest: weights!, modules: [] }
  })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-base-'))
    refused = new Set()
    asker = await startHost({})
  })
  afterEach(async () => {
    await stopHosts()
    await rm(folder, { recursive: true, force: true })
  })

  it('is had from another where one lies, and the liar is found out', async () => {
    const liar = await member('liar', flipLast('model.safetensors'))
    const fetching = fetch()
    // Nobody else is there yet: all of it came from the liar.
    await until(() => refused.size > 0)
    assert.deepEqual([...refused], [liar.peerId.toString()])
    assert(heard("its digest is not the charter's"))
    assert(!existsSync(home().base))
    await member('honest')
    await fetching
    await fits()
  })

  it('is taken from nobody who makes it longer than it can be, or feeds it byte by byte', async () => {
    await member('flood', async (path) => truncate(join(path, 'config.json'), 1024 * 1024 + 1))
    const trickler = await startHost({ bootstrap: [asker] })
    const answer = async () => encodeCanonical({ version: 1, total: 100_000, bytes: new Uint8Array(1) })
    await registerRequestHandler(trickler, BASE_PROTOCOL, answer, LIMITS, trickler.log)
    const fetching = fetch()
    await until(() => refused.size === 2)
    assert(heard('where at most'))
    assert(heard('a piece of 1 bytes'))
    await member('honest')
    await fetching
    await fits()
  })

  it('is gone on with after a stop; a false beginning is blamed on nobody, and is had anew', async () => {
    const partial = join(home().basePartial, 'weights.partial')
    await mkdir(home().basePartial, { recursive: true })
    const weights = await readFile(join(SHIPPED, 'model.safetensors'))
    await writeFile(partial, weights.subarray(0, 1_500_000))
    await member('honest')
    let least = Number.POSITIVE_INFINITY
    await fetch(undefined, (progress) => {
      const { file, done } = progress as { file?: string; done: number }
      if (file === 'weights') least = Math.min(least, done)
    })
    assert(least > 1_500_000, `${least}`)
    await fits()

    await rm(home().base, { recursive: true })
    await mkdir(home().basePartial)
    await writeFile(partial, Buffer.alloc(1_500_000))
    await fetch()
    await fits()
    assert.equal(refused.size, 0)
  })

  it('keeps what it has where the fetching is ended', async () => {
    await member('honest')
    const stopping = new AbortController()
    await assert.rejects(
      fetch(stopping.signal, (progress) => {
        if ((progress as { file?: string }).file === 'weights') stopping.abort()
      })
    )
    assert.deepEqual((await readdir(home().basePartial)).sort(), [
      'config.json',
      'tokenizer.json',
      'weights.partial'
    ])
    await fetch()
    await fits()
  })

  it('is sent within the cap on what is sent', async () => {
    const host = await startHost({ bootstrap: [asker] })
    const uploadBytesPerSecond = 4 * 1024 * 1024
    const admitted: number[] = []
    const upload = new (class extends UploadLimit {
      override async admit(bytes: number) {
        admitted.push(bytes)
        await super.admit(bytes)
      }
    })(uploadBytesPerSecond)
    await serveBase(host, SHIPPED, CHARTER, host.log, { upload, uploadBytesPerSecond })
    await fetch()
    await fits()
    const sizes = await Promise.all(FILES.map(async (file) => (await readFile(join(SHIPPED, file))).length))
    assert.equal(
      admitted.reduce((sum, bytes) => sum + bytes, 0),
      sizes.reduce((sum, bytes) => sum + bytes, 0)
    )
  })

  it('may have no more weights than its config asks for', async () => {
    const config = JSON.parse(await readFile(join(SHIPPED, 'config.json'), 'utf8'))
    const { length } = await readFile(join(SHIPPED, 'model.safetensors'))
    const most = weightBytesMax(config)
    assert(length < most && most < 4 * length + 2 ** 26, `${length} ${most}`)
    assert.throws(() => weightBytesMax({ ...config, model_type: 'bert' }), /model_type/)
  })
})
