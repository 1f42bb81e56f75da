import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import type { DriverComponents } from '../../../../src/node/driver/components.ts'
import { Measurements } from '../../../../src/node/driver/measurements.ts'
import { RoundEvaluations } from '../../../../src/node/driver/round-evaluations.ts'
import { readEvaluation, sealedLosses } from '../../../../src/node/home/evaluation-file.ts'
import { type Home, roundFiles } from '../../../../src/node/home/home.ts'
import type { PeerReport } from '../../../../src/node/home/peer-report.ts'
import type { MeasuringJob } from '../../../../src/node/workers/trainer/training-job.ts'
import type { Manifest } from '../../../../src/protocol/index.ts'
import { until } from '../../../support/until.ts'
import { memoryLog } from '../memory-log.ts'
import { temporaryHome } from '../temporary-home.ts'

/** Losses that the measured model has: of the base, of a merged model, and with an update. */
const LOSS = { base: 5, merged: 4, updated: 3 }

describe('the evaluation of a round', () => {
  const consortium = new ScriptedConsortium(4)
  const manifest: Manifest = consortium.manifest(0).body
  let home: Home
  let remove: () => Promise<void>
  let jobs: MeasuringJob[]
  let reports: PeerReport[]
  let log: ReturnType<typeof memoryLog>
  let fault: Error | undefined

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    await writeFile(home.heldOut, 'Some text that nobody trains on.')
    jobs = []
    reports = []
    log = memoryLog()
    fault = undefined
  })
  afterEach(() => remove())

  /** Evaluations of a peer that is in a round and has the model that the round starts from, if there is one. */
  const evaluationsIn = async (round: number) => {
    const { folder, model } = roundFiles(home, round - 1)
    const modelFile = round === 1 ? undefined : model
    if (modelFile !== undefined) {
      await mkdir(folder, { recursive: true })
      await writeFile(modelFile, 'weights')
    }
    const context = { ...consortium.context, round }
    const measure = async (job: MeasuringJob) => {
      jobs.push(job)
      if (fault !== undefined) throw fault
      const before = job.before ?? (job.modelFile === undefined ? LOSS.base : LOSS.merged)
      return { before, after: job.shards.length === 0 ? before : LOSS.updated, targets: 50 }
    }
    const components = {
      home,
      config: { model: 'base', training: {}, validation: { heldOutTokens: 64, heldOutTimeout: 60 } },
      rounds: { head: context, modelFile },
      trainer: { measure },
      log,
      report: (report: PeerReport) => reports.push(report)
    } as unknown as DriverComponents
    const evaluations = new RoundEvaluations(components, new Measurements(components))
    evaluations.begin(context)
    return { evaluations, context }
  }
  const stored = async (
    round: number,
    has: (found: NonNullable<Awaited<ReturnType<typeof readEvaluation>>>) => boolean
  ) => {
    await until(async () => {
      const found = await readEvaluation(home, round)
      return found !== undefined && has(found)
    })
    return (await readEvaluation(home, round))!
  }

  it('measures one model in the first round, which starts from the base', async () => {
    await evaluationsIn(1)
    const found = await stored(1, ({ start }) => start !== null)
    assert.deepEqual([found.base, found.start, found.own, found.tokens], [5, 5, null, 50])
    assert.equal(jobs.length, 1)
    assert.deepEqual((await sealedLosses(home, 1)).sealed, null)
  })

  it('measures the base before the first training of a later round, once per text', async () => {
    const { evaluations } = await evaluationsIn(3)
    await evaluations.baseMeasured
    assert.deepEqual(
      jobs.map(({ modelFile }) => modelFile === undefined),
      [true, false]
    )
    const found = await stored(3, ({ start }) => start !== null)
    assert.deepEqual([found.base, found.start], [5, 4])
    assert.equal((await sealedLosses(home, 2)).sealed, 4)

    await evaluationsIn(4)
    assert.equal((await stored(4, ({ start }) => start !== null)).base, 5)
    assert.equal(jobs.length, 3, 'a restarted peer finds the loss of the base in an earlier round')

    await writeFile(home.heldOut, 'Another text, with which earlier losses do not compare.')
    await evaluationsIn(5)
    const other = await stored(5, ({ start }) => start !== null)
    assert.notEqual(other.text, found.text)
    assert.equal(jobs.length, 5)
  })

  it('adds the losses with the own update and with received updates', async () => {
    const { evaluations, context } = await evaluationsIn(1)
    evaluations.own(context, manifest)
    const told = { type: 'heldOut', round: 1, before: 5, isRefused: false } as const
    evaluations.received({ ...told, peerId: 'one', after: 4.5 })
    evaluations.received({ ...told, peerId: 'two', after: 9, isRefused: true })
    evaluations.received({ ...told, peerId: 'three', after: Number.POSITIVE_INFINITY, isRefused: true })
    evaluations.received({ ...told, round: 2, peerId: 'late', after: 1 })
    const found = await stored(1, ({ own, updates }) => own !== null && updates.length === 2)
    assert.equal(found.own, 3)
    assert.deepEqual(
      found.updates.map(({ peerId, after, isRefused }) => [peerId, after, isRefused]),
      [
        ['one', 4.5, false],
        ['two', 9, true]
      ]
    )
    const last = reports.at(-1)
    assert(last?.type === 'evaluation' && last.updates.length === 2)
  })

  it('logs a failed evaluation once and does not delay training', async () => {
    fault = new Error('no memory')
    const { evaluations } = await evaluationsIn(3)
    await evaluations.baseMeasured
    await until(() => log.messages.length > 0)
    await evaluationsIn(4).then(({ evaluations }) => evaluations.baseMeasured)
    assert.match(log.messages.join('\n'), /could not be evaluated on the held-out text.*no memory/)
    assert.equal(await readEvaluation(home, 3), undefined)
  })

  it('treats a damaged file as no measurement', async () => {
    await evaluationsIn(1)
    await stored(1, ({ start }) => start !== null)
    await writeFile(roundFiles(home, 1).evaluation, '{"version":1')
    assert.equal(await readEvaluation(home, 1), undefined)
    await writeFile(roundFiles(home, 1).evaluation, '{"version":2,"round":1}')
    assert.equal(await readEvaluation(home, 1), undefined)
  })
})
