import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sha256Hex } from '../../../src/adapter/index.ts'
import { fetchCheckpoint, serveCheckpoints } from '../../../src/node/driver/model-checkpoint.ts'
import { homeAt, roundFiles } from '../../../src/node/home.ts'
import { startHost, stopHosts, type TestHost, until } from './hosts.ts'

const CHARTER = new Uint8Array(32).fill(3)
/** Two and a half pieces. */
const MODEL = Buffer.alloc(2.5 * 1024 * 1024, 'the merged modules ')
const DIGEST = Buffer.from(sha256Hex(MODEL), 'hex')

describe('a checkpoint of the merged modules', function () {
  this.timeout(30_000)
  let folder: string
  let asker: TestHost

  /** A member that serves these bytes, or nothing, as the model of round 7. */
  const member = async (name: string, bytes?: Uint8Array) => {
    const home = homeAt(join(folder, name))
    const { model } = roundFiles(home, 7)
    await mkdir(dirname(model), { recursive: true })
    if (bytes !== undefined) await writeFile(model, bytes)
    const host = await startHost({ bootstrap: [asker] })
    await serveCheckpoints(host, home, CHARTER, host.log)
  }
  const target = () => roundFiles(homeAt(join(folder, 'asker')), 7).model
  const fetch = (bytesMax = 2 * MODEL.length) =>
    fetchCheckpoint(
      { host: asker, charterId: CHARTER, log: asker.log },
      target(),
      DIGEST,
      bytesMax,
      AbortSignal.timeout(20_000)
    )

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-checkpoint-'))
    asker = await startHost({})
  })
  afterEach(async () => {
    await stopHosts()
    await rm(folder, { recursive: true, force: true })
  })

  it('comes from whoever has the sealed bits: a liar is found out, and another is asked', async () => {
    const wrong = Buffer.from(MODEL)
    wrong[MODEL.length - 1]! ^= 1
    await member('liar', wrong)
    await member('without')
    await until(() => asker.peers().length === 2)
    await assert.rejects(fetch(), /nobody who is connected has the model of round 7/)
    assert.ok(!existsSync(target()) && !existsSync(`${target()}.partial`))
    assert.ok(asker.log.messages.some((message) => message.includes('not what was sealed')))
    await member('honest', MODEL)
    await until(() => asker.peers().length === 3)
    await fetch()
    assert.deepEqual(await readFile(target()), MODEL)
  })

  it('is broken off where it is longer than any model of the charter', async () => {
    await member('flood', MODEL)
    await until(() => asker.peers().length === 1)
    await assert.rejects(fetch(MODEL.length - 1), /nobody/)
    assert.ok(asker.log.messages.some((message) => message.includes('where at most')))
  })
})
