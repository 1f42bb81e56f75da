import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { type Home, roundFiles } from '../../../../../src/node/home/home.ts'
import { createTrainer, type Trainer } from '../../../../../src/node/workers/trainer/trainer.ts'
import { never, type TrainingHome, trainerProcesses, trainingHome } from './training-home.ts'

describe('the trainer', function () {
  this.timeout(60_000)
  let home: Home
  let job: TrainingHome['job']
  let remove: () => Promise<void>
  let trainer: Trainer

  beforeEach(async () => {
    ;({ home, job, remove } = await trainingHome())
    trainer = createTrainer()
  })
  afterEach(async () => {
    await trainer.stop()
    await remove()
  })

  for (const [executor, device] of [
    ['onnxruntime-web', 'wasm'],
    ['tfjs', 'wasm']
  ] as const) {
    it(`trains with ${executor} on ${device} close to the default, and exits`, async function () {
      if (process.platform !== 'linux') this.skip()
      const losses: number[][] = [[], []]
      await trainer.train(job(), ({ loss }) => losses[0]!.push(loss), never)
      const { training } = job()
      const other = job({ training: { ...training, executor, device, threads: 2 } })
      const first = await trainer.train(other, ({ loss }) => losses[1]!.push(loss), never)
      assert.deepEqual(await trainer.train(other, () => {}, never), first)
      for (const [step, loss] of losses[0]!.entries()) assert(Math.abs(loss - losses[1]![step]!) < 1e-3)
      await trainer.stop()
      assert.deepEqual(trainerProcesses(), [])
    })
  }

  it('reports why an executor cannot train, and continues with another', async () => {
    const { training } = job()
    const webgpu = { ...training, executor: 'onnxruntime-web', device: 'webgpu' } as const
    await assert.rejects(
      trainer.train(job({ training: webgpu }), () => {}, never),
      /onnxruntime-web has no device webgpu: it has wasm/
    )
    assert.equal((await trainer.train(job(), () => {}, never)).samples, 12)
  })

  it('stops a cancelled training at its next step, writes nothing of it, and takes the next job', async () => {
    const cancel = new AbortController()
    const { training } = job()
    const long = job({ training: { ...training, steps: 100_000 } })
    const cancelled = trainer.train(long, () => cancel.abort(), cancel.signal)
    const next = trainer.train(job({ localPath: roundFiles(home, 2).local }), () => {}, never)
    await assert.rejects(cancelled, /cancelled/)
    assert.equal((await next).samples, 12)
    assert(!existsSync(roundFiles(home, 1).local))
  })

  it('does not start work that was cancelled while queued', async () => {
    const cancel = new AbortController()
    const first = trainer.train(job(), () => {}, never)
    const second = trainer.train(job(), () => assert.fail('began'), cancel.signal)
    cancel.abort(new Error('no longer wanted'))
    await assert.rejects(second, /no longer wanted/)
    await first
  })

  it('survives the death of its process: the training is lost, and the next one starts a new process', async function () {
    if (process.platform !== 'linux') this.skip()
    const { training } = job()
    const long = job({ training: { ...training, steps: 100_000 } })
    const kill = () => {
      for (const pid of trainerProcesses()) process.kill(pid, 'SIGKILL')
    }
    await assert.rejects(trainer.train(long, kill, never), /the trainer process ended \(SIGKILL\)/)
    assert.equal((await trainer.train(job(), () => {}, never)).samples, 12)
  })

  it('reports what is wrong with the documents, and continues', async () => {
    await assert.rejects(
      trainer.train(job({ documents: '/nowhere' }), () => {}, never),
      /nowhere/
    )
    assert.equal((await trainer.train(job(), () => {}, never)).samples, 12)
  })

  it('does not have the secrets of the daemon', async function () {
    if (process.platform !== 'linux') this.skip()
    await trainer.stop()
    process.env.LOAM_CONTROL_TOKEN = 'a secret of the daemon'
    process.env.LOAM_TEST_HARMLESS = 'no secret'
    try {
      trainer = createTrainer()
      await trainer.train(job(), () => {}, never)
      const environment = readFileSync(`/proc/${trainer.pid}/environ`, 'utf8')
      assert(environment.includes('LOAM_TEST_HARMLESS=no secret'))
      assert(!environment.includes('LOAM_CONTROL_TOKEN'))
    } finally {
      delete process.env.LOAM_CONTROL_TOKEN
      delete process.env.LOAM_TEST_HARMLESS
    }
  })

  it('kills its process in the middle of a training, and takes no job after that', async function () {
    if (process.platform !== 'linux') this.skip()
    const { training } = job()
    let began = () => {}
    const beginning = new Promise<void>((resolve) => {
      began = resolve
    })
    const long = trainer.train(job({ training: { ...training, steps: 100_000 } }), () => began(), never)
    const ended = assert.rejects(long, /the trainer process ended/)
    await beginning
    await trainer.stop()
    await ended
    assert.deepEqual(trainerProcesses(), [])
    await assert.rejects(
      trainer.train(job(), () => {}, never),
      /has been stopped/
    )
  })
})
