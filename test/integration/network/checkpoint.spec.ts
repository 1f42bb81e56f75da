import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { blockListDigest, encodeSafetensors, readBlockList } from '../../../src/formats/index.ts'
import { requireModelFile } from '../../../src/node/driver/model-checkpoint.ts'
import { homeAt, roundFiles } from '../../../src/node/home/home.ts'
import { BLOCKS_PROTOCOL, type BlockExchange, startBlockExchange } from '../../../src/node/network/index.ts'
import { serveBlocks } from '../../../src/node/network/transfer/index.ts'
import { BlockStore } from '../../../src/node/storage/index.ts'
import type { RoundContext } from '../../../src/protocol/index.ts'
import { until } from '../../support/until.ts'
import { startHost, stopHosts, type TestHost } from './hosts.ts'

const MODULE = { module: 'model.layers.0.mlp.down_proj', inFeatures: 768, outFeatures: 1024 }
/** Of three mebibytes and a header: four blocks. */
const MODEL = encodeSafetensors(
  new Map([
    [
      `${MODULE.module}.weight`,
      { shape: [1024, 768], data: new Float32Array(Uint8Array.from(randomBytes(4 * 1024 * 768)).buffer) }
    ]
  ])
)

/** Sent instead of the block list (if given) or of a block. */
const LIES: Readonly<Record<string, (list: Uint8Array | undefined) => Uint8Array>> = {
  'other blocks': (list) => list ?? Buffer.alloc(1024 * 1024, 'another model'),
  'another list of blocks': (list) => Buffer.from(list ?? Buffer.alloc(1000)).fill(7, 0, 32),
  'a list that is far too long': () => Buffer.alloc(1024 * 1024, 7)
}

describe('a checkpoint of the merged modules', function () {
  this.timeout(30_000)
  let folder: string
  let asker: TestHost
  let exchange: BlockExchange
  let stops: (() => Promise<void>)[]
  let digest: Uint8Array

  const exchangeOf = async (host: TestHost, name: string) => {
    const started = await startBlockExchange(
      host,
      await BlockStore.open(join(folder, name), host.log),
      host.log
    )
    stops.push(() => started.stop())
    return started
  }
  /** A member that serves the model of round 7, or has changed it since. */
  const member = async (name: string, change?: (bytes: Buffer) => void) => {
    const { model } = roundFiles(homeAt(join(folder, name)), 7)
    await mkdir(dirname(model), { recursive: true })
    await writeFile(model, MODEL)
    const file = await readBlockList(model)
    digest = blockListDigest(file.list)
    const host = await startHost({ bootstrap: [asker] })
    const serving = await exchangeOf(host, name)
    serving.serveFile(file)
    if (change !== undefined) {
      const bytes = Buffer.from(MODEL)
      change(bytes)
      await writeFile(model, bytes)
    }
    await until(() => asker.peers().some((peer) => peer.equals(host.peerId)))
    return host
  }
  const target = () => roundFiles(homeAt(join(folder, 'asker')), 7).model
  const fetch = (stallMs?: number, signal = AbortSignal.timeout(20_000)) =>
    requireModelFile(
      { exchange, rounds: { modelFile: target() }, log: asker.log },
      {
        modelDigest: digest,
        charter: { base: { modules: [MODULE] } } as unknown as RoundContext['charter']
      },
      signal,
      stallMs
    )

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-checkpoint-'))
    stops = []
    asker = await startHost({})
    exchange = await exchangeOf(asker, 'asker')
  })
  afterEach(async () => {
    for (const stop of stops) await stop()
    await stopHosts()
    await rm(folder, { recursive: true, force: true })
  })

  it('is fetched from several members block by block, and served from then on', async () => {
    await member('one', (bytes) => bytes.fill(0, 0, 100))
    await member('two', (bytes) => bytes.fill(0, bytes.length - 100))
    await fetch()
    assert.deepEqual(await readFile(target()), Buffer.from(MODEL))
    const hosts = asker.peers().length
    assert.equal(hosts, 2)
    const third = await startHost({ bootstrap: [asker] })
    const other = await exchangeOf(third, 'third')
    await until(() => other.providersOf(Buffer.from(digest).toString('hex')).length === 1)
  })

  for (const [what, answerWith] of Object.entries(LIES))
    it(`is fetched from others when a member that announces it sends ${what}`, async () => {
      const { model } = roundFiles(homeAt(join(folder, 'liar')), 7)
      await mkdir(dirname(model), { recursive: true })
      await writeFile(model, MODEL)
      const file = await readBlockList(model)
      digest = blockListDigest(file.list)
      const liar = await startHost({ bootstrap: [asker] })
      const serving = await exchangeOf(liar, 'liar')
      serving.serveFile(file)
      let lies = 0
      await liar.libp2p.unhandle(BLOCKS_PROTOCOL)
      const isList = (wanted: string) => wanted === Buffer.from(digest).toString('hex')
      const getToServe = async (wanted: string) => {
        const answer = answerWith(isList(wanted) ? file.list : undefined)
        if (!isList(wanted) || answer !== file.list) lies++
        return answer
      }
      await serveBlocks(liar, { getToServe }, liar.log)
      await until(() => asker.peers().some((peer) => peer.equals(liar.peerId)))
      const fetching = fetch()
      const isDetected = () =>
        asker.log.messages.some((line) => line.includes('arrived with the wrong bytes'))
      await until(() => lies > 0 && isDetected())
      assert(!existsSync(target()))
      await member('honest')
      await fetching
      assert.deepEqual(await readFile(target()), Buffer.from(MODEL))
    })

  it('is reported as unavailable when nobody has it, and keeps what was fetched before', async () => {
    await member('damaged', (bytes) => bytes.fill(0, bytes.length - 100))
    const stopping = new AbortController()
    const fetching = fetch(undefined, stopping.signal)
    const partial = `${target()}.partial`
    const first = () => readFile(partial).catch(() => Buffer.alloc(0))
    const begins = Buffer.from(MODEL).subarray(0, 1024 * 1024)
    await until(async () => (await first()).subarray(0, begins.length).equals(begins))
    stopping.abort()
    await assert.rejects(fetching)
    assert(!existsSync(target()) && existsSync(partial))
    await stopHosts()
    stops = []
    asker = await startHost({})
    exchange = await exchangeOf(asker, 'asker')
    await assert.rejects(
      fetch(100),
      new RegExp(`${target()}, the merged modules .*, is missing, and no connected member has it`)
    )
    await member('whole')
    await fetch()
    assert.deepEqual(await readFile(target()), Buffer.from(MODEL))
    assert(!existsSync(partial))
    const received = asker.traffic.totals().get('blocks')?.received ?? 0
    assert(received < MODEL.length, `${received}`)
  })

  it('is fetched once when training and building both need it, even if the first of them is aborted', async () => {
    await member('one')
    const stopping = new AbortController()
    const [first, second, third] = [fetch(undefined, stopping.signal), fetch(), fetch()]
    stopping.abort()
    await assert.rejects(first)
    await Promise.all([second, third])
    assert.deepEqual(await readFile(target()), Buffer.from(MODEL))
    const received = asker.traffic.totals().get('blocks')?.received ?? 0
    assert(received <= MODEL.length + 4 * 32, `${received}`)
  })

  it('is not fetched when its file exists', async () => {
    await mkdir(dirname(target()), { recursive: true })
    await writeFile(target(), MODEL)
    digest = blockListDigest((await readBlockList(target())).list)
    await fetch()
  })
})
