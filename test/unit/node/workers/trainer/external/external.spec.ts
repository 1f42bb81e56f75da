import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { roundFiles } from '../../../../../../src/node/home/home.ts'
import type {
  TrainingJob,
  TrainingProgress
} from '../../../../../../src/node/workers/trainer/training-job.ts'
import { never, trainerSuite } from '../training-home.ts'

const LOAM = fileURLToPath(new URL('../../../../../../src/cli/main.js', import.meta.url))
const COMMAND = `${process.execPath} ${LOAM} trainer --threads 1`

describe('an external trainer', function () {
  this.timeout(60_000)
  const suite = trainerSuite()
  const { trainer } = suite
  const by = (command: string, changes: Partial<TrainingJob> = {}): TrainingJob =>
    suite.job({ external: { trainer: command, deadline: Date.now() + 60_000 }, ...changes })

  it('gets the same training: the built-in trainer behind the contract gives the same blocks', async () => {
    const inside = await trainer.train(suite.job(), () => {}, never)
    const steps: TrainingProgress[] = []
    const first = await trainer.train(by(COMMAND), (progress) => steps.push(progress), never)
    assert.deepEqual(first.shards, inside.shards)
    assert.equal(first.samples, inside.samples)
    assert.deepEqual(
      steps.map(({ step, steps: all }) => [step, all]),
      [1, 2, 3, 4].map((step) => [step, 4])
    )
    assert.equal(first.trainer?.name, 'loam')
    assert.equal(first.trainer?.steps, 4)
    // Isolated documents, another scale, a second round in the same process.
    const changes = { data: { loss: 'completions', packing: 'isolated' }, rankStabilised: true } as const
    assert.deepEqual(
      (await trainer.train(by(COMMAND, changes), () => {}, never)).shards,
      (await trainer.train(suite.job(changes), () => {}, never)).shards
    )
    assert.deepEqual(readdirSync(join(suite.home.folder, 'trainer', 'jobs')), [], 'nothing is left behind')
  })

  it('attaches through files in the home, and again after it was killed', async () => {
    const attach = () =>
      spawn(process.execPath, [LOAM, 'trainer', '--attach', suite.home.folder, '--threads', '1'])
    const { training } = suite.job()
    const inside = await trainer.train(suite.job(), () => {}, never)
    let attached = attach()
    try {
      assert.deepEqual((await trainer.train(by('attach'), () => {}, never)).shards, inside.shards)
      const long = by('attach', { training: { ...training, steps: 5_000 } })
      const first = attached
      const killOnce = () => {
        if (attached !== first) return
        first.kill('SIGKILL')
        attached = attach()
      }
      const lost = trainer.train(long, killOnce, never)
      await assert.rejects(lost, /it was started again/)
      assert.deepEqual((await trainer.train(by('attach'), () => {}, never)).shards, inside.shards)
    } finally {
      attached.kill()
    }
  })

  it('is cancelled between two steps, and sends what it has at the deadline', async () => {
    const { training } = suite.job()
    const long = { training: { ...training, steps: 5_000 } }
    const cancel = new AbortController()
    await assert.rejects(
      trainer.train(by(COMMAND, long), () => cancel.abort(), cancel.signal),
      /cancelled/
    )
    assert(!existsSync(roundFiles(suite.home, 1).local))
    const external = { trainer: COMMAND, deadline: Date.now() + 500 }
    const { trainer: said } = await trainer.train(suite.job({ ...long, external }), () => {}, never)
    assert(said !== undefined && said.steps >= 1 && said.steps < 5_000)
  })

  it('gets the same key again after an interruption, and another one for another training', async () => {
    const ready = JSON.stringify({ type: 'ready', contract: 1, name: 'recorder', version: '1' })
    let files = 0
    const keyOf = async (changes: Partial<TrainingJob>, deadline: number): Promise<string> => {
      const file = join(suite.home.folder, `request-${++files}`)
      const external = { trainer: `echo '${ready}'; head -n 1 > ${file}; exit 3`, deadline }
      await assert.rejects(
        trainer.train(suite.job({ external, ...changes }), () => {}, never),
        /exit code 3/
      )
      return JSON.parse(await readFile(file, 'utf8')).key
    }
    const { training } = suite.job()
    const key = await keyOf({}, Date.now() + 60_000)
    assert.equal(await keyOf({}, Date.now() + 90_000), key)
    const others: Partial<TrainingJob>[] = [
      { round: 2 },
      { seed: 9 },
      { documentSeed: 9 },
      { rank: 1 },
      { training: { ...training, learningRate: 1e-3 } }
    ]
    for (const changes of others) assert.notEqual(await keyOf(changes, Date.now() + 60_000), key)
  })

  it('gets no secret of the daemon', async () => {
    process.env.LOAM_LOGITS_KEY = 'a secret'
    try {
      const seen = join(suite.home.folder, 'environment')
      await assert.rejects(
        trainer.train(by(`env > ${seen}; exit 3`), () => {}, never),
        /exit code 3/
      )
      assert(!(await readFile(seen, 'utf8')).includes('a secret'))
    } finally {
      delete process.env.LOAM_LOGITS_KEY
    }
  })
})
