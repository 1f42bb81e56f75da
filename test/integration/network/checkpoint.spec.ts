import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sha256Hex } from '../../../src/formats/index.ts'
import { fetchCheckpoint, serveCheckpoints } from '../../../src/node/catch-up/model-checkpoint.ts'
import { homeAt, roundFiles } from '../../../src/node/home/home.ts'
import {
  ANSWER_BYTES_PER_SECOND,
  REQUEST_LIMITS,
  type RequestLimits
} from '../../../src/node/network/index.ts'
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
  const member = async (name: string, bytes?: Uint8Array, limits?: Partial<RequestLimits>) => {
    const home = homeAt(join(folder, name))
    const { model } = roundFiles(home, 7)
    await mkdir(dirname(model), { recursive: true })
    if (bytes !== undefined) await writeFile(model, bytes)
    const host = await startHost({ bootstrap: [asker] })
    await serveCheckpoints(host, home, CHARTER, host.log, limits)
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

  it('comes whole where it is longer than what is answered at once', async () => {
    const perSecond = 2 * 1024 * 1024
    // An asker's pace lets it be a quarter of a second ahead.
    const answerRate = { burst: perSecond / 4, perSecond }
    await member('slow', MODEL, { answerRate })
    await until(() => asker.peers().length === 1)
    // All that is answered at once is a piece and a half: without a pace the second breaks it off.
    const client = { host: asker, charterId: CHARTER, log: asker.log }
    const signal = AbortSignal.timeout(20_000)
    const bytesPerSecond = (answerRate.perSecond * 7) / 8
    await fetchCheckpoint({ ...client, bytesPerSecond }, target(), DIGEST, MODEL.length, signal)
    assert.deepEqual(await readFile(target()), MODEL)
    assert(ANSWER_BYTES_PER_SECOND < REQUEST_LIMITS.answerRate.perSecond)
  })

  it('is broken off where it is longer than any model of the charter', async () => {
    await member('flood', MODEL)
    await until(() => asker.peers().length === 1)
    await assert.rejects(fetch(MODEL.length - 1), /nobody/)
    assert.ok(asker.log.messages.some((message) => message.includes('where at most')))
  })
})
