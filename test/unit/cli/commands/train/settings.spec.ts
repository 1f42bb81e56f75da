import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadTrainSettings } from '../../../../../src/cli/commands/train/settings.ts'
import { openTrainingLog } from '../../../../../src/cli/commands/train/training-log.ts'
import { progressText } from '../../../../../src/cli/commands/train/training-progress.ts'

describe('loam train: settings, log and progress', () => {
  let folder: string
  const path = (name: string): string => join(folder, name)
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-settings-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('takes flags over the config file, and the file over the defaults', async () => {
    await writeFile(
      path('c.json'),
      JSON.stringify({ data: 'd', out: 'o', rank: 16, steps: 5, template: { text: '{a}' } })
    )
    const settings = await loadTrainSettings(path('c.json'), { rank: 4, alpha: undefined })
    assert.equal(settings.rank, 4)
    assert.equal(settings.steps, 5)
    assert.equal(settings.batchSize, 8)
    assert.equal(settings.alpha, undefined)
    assert.deepEqual(settings.template, { text: '{a}' })
  })

  it('names the missing or invalid setting', async () => {
    const refused: [Record<string, unknown>, RegExp][] = [
      [{ data: 'd' }, /--out is missing: it must be a path/],
      [{ data: 'd', out: 'o', steps: 1, epochs: 1 }, /--epochs: set steps or epochs, not both/],
      [{ data: 'd', out: 'o', evalEvery: 5 }, /--eval-every: needs examples that are not trained on/],
      [{ data: 'd', out: 'o', heldOut: 0.1, patience: 2 }, /--patience: counts evaluations/],
      [{ data: 'd', out: 'o', heldOut: 0.1, evalData: 'e' }, /--eval-data: set heldOut or evalData/]
    ]
    for (const [flags, message] of refused) await assert.rejects(loadTrainSettings(undefined, flags), message)
    await writeFile(path('c.json'), JSON.stringify({ data: 'd', out: 'o', rnk: 16 }))
    await assert.rejects(
      loadTrainSettings(path('c.json'), {}),
      /c\.json: unknown setting rnk; did you mean rank\?/
    )
    await writeFile(path('c.json'), JSON.stringify({ data: 'd', out: 'o', rank: -1 }))
    await assert.rejects(
      loadTrainSettings(path('c.json'), {}),
      /c\.json: rank must be a positive integer, got -1/
    )
    await writeFile(path('c.json'), '[]')
    await assert.rejects(loadTrainSettings(path('c.json'), {}), /must contain one JSON object/)
    await writeFile(path('c.json'), '{\n  "data": "D:\\Data"\n}')
    await assert.rejects(loadTrainSettings(path('c.json'), {}), {
      name: 'UsageError',
      message: /c\.json is not JSON: line 2, column 14: \\D is not a JSON escape/
    })
    await assert.rejects(loadTrainSettings(path('missing.json'), {}), /config file not found/)
  })

  it('keeps the log up to the checkpoint on resume, and drops a truncated line', async () => {
    const log = openTrainingLog(path('log'))
    for (const step of [1, 2, 3]) log.write({ step, loss: step })
    await writeFile(path('log'), `${await readFile(path('log'), 'utf8')}{"step":4,"lo`)
    openTrainingLog(path('log'), 2).write({ step: 3, loss: 9 })
    assert.equal(
      await readFile(path('log'), 'utf8'),
      '{"step":1,"loss":1}\n{"step":2,"loss":2}\n{"step":3,"loss":9}\n'
    )
    openTrainingLog(path('log'))
    assert.equal(await readFile(path('log'), 'utf8'), '')
  })

  it('shows step, loss, speed and the remaining time', () => {
    const state = { step: 12, steps: 100, loss: 3.12345, tokensPerSecond: 5120.4, secondsLeft: 3725 }
    assert.equal(progressText(state), 'step  12/100  loss 3.1235  5,120 tokens/s  ETA 1:02:05')
    assert.match(progressText({ ...state, secondsLeft: 35 }), /ETA 0:35$/)
    assert(progressText({ ...state, steps: 1e6, step: 1e6 }).length < 80)
  })
})
