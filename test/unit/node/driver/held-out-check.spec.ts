import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import type { DriverComponents } from '../../../../src/node/driver/components.ts'
import { HeldOutCheck } from '../../../../src/node/driver/held-out-check.ts'
import { Measurements } from '../../../../src/node/driver/measurements.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import type { PeerReport } from '../../../../src/node/home/peer-report.ts'
import type { MeasuringJob } from '../../../../src/node/workers/trainer/training-job.ts'
import type { HeldOutLoss } from '../../../../src/protocol/index.ts'
import { memoryLog } from '../memory-log.ts'
import { temporaryHome } from '../temporary-home.ts'

/** A measurement that the test answers. */
interface Asked {
  readonly job: MeasuringJob
  readonly signal: AbortSignal
  answer(loss: HeldOutLoss): void
  fail(error: Error): void
}

describe('the held-out check of a peer', () => {
  let home: Home
  let remove: () => Promise<void>
  let asked: Asked[]
  let reports: PeerReport[]
  let log: ReturnType<typeof memoryLog>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    await writeFile(home.heldOut, 'Some text that nobody trains on.')
    asked = []
    reports = []
    log = memoryLog()
  })
  afterEach(() => remove())

  const checkAt = (table: ScriptedConsortium, heldOutTimeout = 60) => {
    const measure = (job: MeasuringJob, signal: AbortSignal) =>
      new Promise<HeldOutLoss>((answer, fail) => {
        asked.push({ job, signal, answer, fail })
        signal.addEventListener('abort', () => fail(signal.reason), { once: true })
      })
    const components = {
      home,
      config: { model: 'base', training: {}, validation: { heldOutTokens: 64, heldOutTimeout } },
      rounds: { head: table.context, modelFile: undefined },
      trainer: { measure },
      log,
      report: (report: PeerReport) => reports.push(report)
    }
    const driver = components as unknown as DriverComponents
    const check = new HeldOutCheck(driver, new Measurements(driver))
    const { state } = table.sit(0)
    check.follow(state)
    const judge = (author: number, at = state) => {
      const message = table.manifest(author)
      return check.judge({ type: 'blocksHeld', manifest: message.id, fault: undefined }, message, at)
    }
    return { check, state, judge }
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const nextAsked = async (index: number) => {
    while (asked.length <= index) await turn()
    return asked[index]!
  }
  const veto = new ScriptedConsortium(4, { heldOutVeto: { margin: 0.5 } })

  it('delays an endorsement until the losses are known if it is a veto, one update at a time', async () => {
    const { judge } = checkAt(veto)
    const [first, second] = [judge(1), judge(2)]
    const one = await nextAsked(0)
    await turn()
    assert.equal(asked.length, 1, 'the second waits its turn')
    assert.equal(one.job.before, undefined)
    one.answer({ before: 4, after: 4.1 })
    assert.deepEqual((await first).heldOut, { before: 4, after: 4.1 })
    const two = await nextAsked(1)
    assert.equal(two.job.before, 4, 'the loss without an update is measured once per round')
    two.answer({ before: 4, after: 9 })
    assert.deepEqual((await second).heldOut, { before: 4, after: 9 })
    assert.deepEqual(
      reports.map((report) => report.type === 'heldOut' && [report.after, report.isRefused]),
      [
        [4.1, false],
        [9, true]
      ]
    )
  })

  it('delays nothing if it is advisory, and still reports the losses', async () => {
    const { judge } = checkAt(new ScriptedConsortium(4))
    assert.equal((await judge(1)).heldOut, undefined)
    ;(await nextAsked(0)).answer({ before: 4, after: 9 })
    while (reports.length === 0) await turn()
    assert.equal(reports[0]!.type === 'heldOut' && reports[0]!.isRefused, false)
    assert.match(log.messages.join('\n'), /the held-out loss without and with an update/)
  })

  it('gives up on timeout or failure, without refusing the update', async () => {
    const { judge } = checkAt(veto, 0.02)
    assert.equal((await judge(1)).heldOut, undefined)
    assert.match(log.messages.join('\n'), /could not be measured.*no answer within 20 ms/)
    const other = checkAt(veto)
    const failing = other.judge(2)
    ;(await nextAsked(1)).fail(new Error('no memory'))
    assert.equal((await failing).heldOut, undefined)
    const broken = other.judge(3)
    ;(await nextAsked(2)).answer({ before: Number.NaN, after: Number.NaN })
    assert.equal(
      (await broken).heldOut,
      undefined,
      'a model that is broken anyway tells nothing of an update'
    )
  })

  it('ends with the commit, and with the round', async () => {
    const { check, state, judge } = checkAt(veto)
    const [first, second] = [judge(1), judge(2)]
    const one = await nextAsked(0)
    check.follow({ ...state, committed: { id: veto.context.parent, cut: veto.cut([]) } })
    assert(one.signal.aborted)
    assert.equal((await first).heldOut, undefined)
    assert.equal((await second).heldOut, undefined)
    assert.equal(asked.length, 1, 'what waited is not begun')
    assert.equal((await judge(3)).heldOut, undefined)
    assert.equal(log.messages.length, 0, 'that is no fault')
  })

  it('skips its own update and a missing model, and logs once that it has no text', async () => {
    const { judge, state } = checkAt(veto)
    assert.equal((await judge(0)).heldOut, undefined)
    assert.equal((await judge(1, { ...state, diverged: true })).heldOut, undefined)
    await remove()
    assert.equal((await judge(2)).heldOut, undefined)
    assert.equal(asked.length, 0)
    checkAt(veto)
    assert.match(log.messages.join('\n'), /this peer has no held-out text: updates are validated without it/)
  })
})
