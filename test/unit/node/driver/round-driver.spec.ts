import assert from 'node:assert/strict'
import type { DriverComponents } from '../../../../src/node/driver/components.ts'
import { RoundDriver } from '../../../../src/node/driver/round-driver.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import { openMessageLog } from '../../../../src/node/home/message-log.ts'
import { decodeEnvelope, type LogRecord, messagesOf } from '../../../../src/protocol/index.ts'
import { memoryLog } from '../memory-log.ts'
import { type OneMember, oneMember } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'
import { soloComponents } from './solo-driver.ts'

/** Runs everything that is ready. */
/** One turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve))
/** Timers that could still trigger something. */
const pendingTimers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length

describe('the round driver', () => {
  let home: Home
  let remove: () => Promise<void>
  let member: OneMember
  const log = memoryLog()
  /** What happened, in its order. */
  let happened: string[]
  let trainings: number

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    member = await oneMember(home)
    happened = []
    trainings = 0
  })
  afterEach(() => remove())

  /** A driver with a real log and store, a disk that refuses while `isFull`, and no network. */
  const createDriver = async (isFull: () => boolean, trains = true) => {
    const messageLog = await openMessageLog(home.writeAheadLog)
    const kindOf = (bytes: Uint8Array) => decodeEnvelope(bytes).kind
    const solo = await soloComponents({
      home,
      member,
      log,
      messageLog: {
        ...messageLog,
        async append(record: LogRecord) {
          if (isFull()) {
            happened.push('refused')
            throw new Error('the disk is full')
          }
          await messageLog.append(record)
          if (record.type === 'signed') happened.push(`logged ${kindOf(record.envelope)}`)
        }
      },
      onSent: (bytes) => happened.push(`sent ${kindOf(bytes)}`)
    })
    const components: DriverComponents = {
      ...solo,
      trainer: {
        ...solo.trainer,
        train: async (...job) => {
          trainings++
          if (!trains) throw new Error('no memory')
          return solo.trainer.train(...job)
        }
      }
    }
    const driver = new RoundDriver(components, { diskMs: 1, workMs: 1 })
    return {
      driver,
      async end() {
        await driver.stop()
        await messageLog.close()
      }
    }
  }
  const until = async (what: string) => {
    while (!happened.includes(what)) await turn()
  }

  it('sends and publishes nothing that is not in the log, however often the disk refuses', async () => {
    let isFull = true
    const { driver, end } = await createDriver(() => isFull)
    driver.start()
    while (happened.length < 3) await turn()
    assert.deepEqual(new Set(happened), new Set(['refused']))
    assert.equal(driver.state.messages.size, 0, 'sync must not serve messages that are not logged')
    assert.match(
      log.messages.find((line) =>
        line.startsWith('the log cannot be written; nothing is sent until it can')
      )!,
      /disk is full/
    )
    isFull = false
    await until('sent manifest')
    await end()
    assert.deepEqual(
      happened.filter((what) => what !== 'refused'),
      ['logged manifest', 'sent manifest']
    )
    assert(messagesOf(driver.state, 'manifest', 0).length > 0)
  })

  it('can stop while the disk refuses, and then sends nothing', async () => {
    // mocha starts its own timer only now.
    await turn()
    const timersBefore = pendingTimers()
    const { driver, end } = await createDriver(() => true)
    driver.start()
    await until('refused')
    await end()
    happened.length = 0
    await turn()
    assert.deepEqual(happened, [])
    assert.equal(pendingTimers(), timersBefore, 'nothing is left that could try again')
  })

  it('trains again after a restart only if no manifest was signed, and resends its messages', async () => {
    const first = await createDriver(() => true)
    first.driver.start()
    await until('refused')
    await first.end()
    const second = await createDriver(() => false)
    second.driver.start()
    await until('sent manifest')
    await second.end()
    assert.equal(trainings, 2)
    happened.length = 0
    const third = await createDriver(() => false)
    third.driver.start()
    await until('sent manifest')
    await third.end()
    assert.equal(trainings, 2)
    assert(!happened.includes('logged manifest'))
  })

  it('continues without its own adapter when training fails', async () => {
    const { driver, end } = await createDriver(() => false, false)
    driver.start()
    while (driver.state.phase === 'training') await turn()
    assert.match(log.messages.findLast((line) => line.startsWith('training failed'))!, /no memory/)
    await end()
  })

  it('rejects garbage and ignores useless messages', async () => {
    const { driver, end } = await createDriver(() => false)
    driver.start()
    assert.equal(driver.receive(Buffer.from('garbage'), 'somebody'), 'reject')
    assert.match(log.messages.findLast((line) => line.startsWith('a message was rejected'))!, /somebody/)
    await end()
  })

  it('stops waiting for a round on abort', async () => {
    const { driver, end } = await createDriver(() => false)
    driver.start()
    const stopped = new AbortController()
    const waiting = driver.roundAfter(1, stopped.signal)
    stopped.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await assert.rejects(driver.roundAfter(1, stopped.signal), /enough/)
    await end()
  })
})
