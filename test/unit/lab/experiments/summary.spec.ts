import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planRuns, SPLITS, STUDIES } from '../../../../lab/experiments/plan.ts'
import {
  openResults,
  type ResultsHeader,
  type RunResult,
  readResults
} from '../../../../lab/experiments/results.ts'
import { type RunDescription, runId } from '../../../../lab/experiments/run-description.ts'
import { summarise } from '../../../../lab/experiments/summary.ts'

const flora: RunDescription = {
  study: 'rules',
  method: 'flora',
  start: 'rule',
  split: 'domain',
  ranks: 'heterogeneous',
  seed: 1,
  rounds: 3
}

function result(run: RunDescription, points: readonly (readonly [number, number])[]): RunResult {
  return {
    ...run,
    id: runId(run),
    seconds: 1,
    points: points.map(([round, mean]) => ({ round, mean, losses: { a: mean - 1, b: mean + 1 } }))
  }
}

describe('the plan of the experiment', () => {
  it('names every run once, and a shorter plan is part of a longer one', () => {
    const short = planRuns({ seeds: 1, rounds: 3, studies: STUDIES, splits: SPLITS })
    const long = planRuns({ seeds: 2, rounds: 3, studies: STUDIES, splits: SPLITS })
    const ids = long.map(runId)
    assert.equal(new Set(ids).size, ids.length)
    assert.ok(short.map(runId).every((id) => ids.includes(id)))
  })

  it('uses FedIT when all ranks are equal, and zero-padding when they differ', () => {
    const runs = planRuns({ seeds: 1, rounds: 3, studies: ['rules'], splits: SPLITS })
    const settings = (method: string) => [
      ...new Set(runs.filter((run) => run.method === method).map(({ ranks }) => ranks))
    ]
    assert.deepEqual(settings('fedit'), ['homogeneous'])
    assert.deepEqual(settings('zero-pad'), ['heterogeneous'])
    assert.equal(settings('flora').length, 2)
  })
})

describe('the summary of the experiment', () => {
  it('has mean and deviation over the seeds, and the difference to FLoRA per seed', () => {
    const ffa = { ...flora, method: 'ffa' }
    const rows = summarise([
      result(flora, [[3, 2]]),
      result({ ...flora, seed: 2 }, [[3, 4]]),
      result(ffa, [[3, 3]]),
      result({ ...ffa, seed: 2 }, [[3, 3.5]])
    ])
    assert.deepEqual(rows[0]!.loss, { mean: 3, deviation: Math.SQRT2, count: 2 })
    const { againstFlora, seedsBelowFlora, domains } = rows[1]!
    assert.equal(againstFlora!.mean, 0.25)
    assert.ok(Math.abs(againstFlora!.deviation - 1.5 * Math.SQRT1_2) < 1e-12)
    assert.equal(seedsBelowFlora, 1)
    assert.deepEqual(domains, { a: 2.25, b: 4.25 })
  })

  it('uses the longer of two runs with the same settings', () => {
    const long = { ...flora, rounds: 20 }
    const rows = summarise([
      result(flora, [[3, 2]]),
      result(long, [
        [3, 2],
        [20, 1]
      ])
    ])
    assert.deepEqual(
      rows.map(({ round, loss }) => [round, loss.mean, loss.count]),
      [
        [3, 2, 1],
        [20, 1, 1]
      ]
    )
  })
})

describe('the results file of the experiment', () => {
  const header = { model: 'm', weights: '00', domains: ['a'], base: { a: 1 }, settings: { members: 1 } }
  const opened = (path: string, change: object = {}) =>
    openResults(path, { ...header, ...change } as unknown as ResultsHeader)
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-results-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('continues after a truncated line', () => {
    const path = join(folder, 'experiment.jsonl')
    const run = result(flora, [[3, 2]])
    opened(path).append(run)
    writeFileSync(path, `${readFileSync(path, 'utf8')}{"study":"ru`)
    const again = opened(path)
    assert.deepEqual([...again.runs.keys()], [run.id])
    again.append(result({ ...flora, seed: 2 }, [[3, 2]]))
    assert.equal(readResults(path).runs.length, 2)
  })

  it('refuses to mix runs with other settings', () => {
    const path = join(folder, 'experiment.jsonl')
    opened(path)
    assert.throws(() => opened(path, { settings: { members: 2 } }), /other settings/)
    assert.throws(() => opened(path, { weights: '01' }), /another model/)
  })
})
