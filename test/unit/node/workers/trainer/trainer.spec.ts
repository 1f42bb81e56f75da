import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  concatenateAdapters,
  decodeAdapterFile,
  type LoraAdapter,
  type LoraPair,
  pairFromBlocks,
  updateNorm
} from '../../../../../src/adapter/index.ts'
import { encodeSafetensors } from '../../../../../src/formats/index.ts'
import { createTextScorer, loadBaseModel } from '../../../../../src/model/index.ts'
import { type Home, roundFiles } from '../../../../../src/node/home/home.ts'
import { BlockStore } from '../../../../../src/node/storage/index.ts'
import { createTrainer, type Trainer } from '../../../../../src/node/workers/trainer/trainer.ts'
import type {
  MeasuringJob,
  TrainingJob,
  TrainingProgress
} from '../../../../../src/node/workers/trainer/training-job.ts'
import { memoryLog } from '../../memory-log.ts'
import { MODEL } from '../../one-member.ts'
import { temporaryHome } from '../../temporary-home.ts'

const never = new AbortController().signal

/** Process ids of this process's children that are trainers. */
function trainerProcesses(): number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  const isTrainer = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('trainer-process')
  return children.split(' ').filter(Boolean).filter(isTrainer).map(Number)
}

/** The pair's update with its scale in A. */
function scaleOne(pair: LoraPair, sign = 1): LoraAdapter {
  const scale = (sign * pair.alpha) / pair.rank
  return { pairs: [{ ...pair, alpha: pair.rank, A: pair.A.map((value) => value * scale) }] }
}

/** One update minus another. */
function joined(one: LoraPair, other: LoraPair): LoraPair {
  return concatenateAdapters([scaleOne(one), scaleOne(other, -1)]).pairs[0]!
}

describe('the trainer', function () {
  this.timeout(60_000)
  let home: Home
  let remove: () => Promise<void>
  let trainer: Trainer
  let job: (changes?: Partial<TrainingJob>) => TrainingJob

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    const sentences = ['The sea was calm that day.', 'My fellow citizens, the state of the union is strong.']
    const lines = Array.from(
      { length: 12 },
      (_, i) => `${JSON.stringify({ text: sentences[i % 2]!.repeat(4) })}\n`
    )
    await writeFile(home.documents, lines.join(''))
    trainer = createTrainer()
    job = (changes = {}) => ({
      round: 1,
      baseFolder: MODEL,
      modelFile: undefined,
      documents: home.documents,
      data: { loss: 'completions' },
      keptBack: undefined,
      modules: ['model.layers.0.self_attn.q_proj', 'model.layers.1.self_attn.v_proj'],
      rank: 2,
      alpha: 4,
      rankStabilised: false,
      training: {
        steps: 4,
        batchSize: 2,
        sequenceLength: 32,
        learningRate: 3e-3,
        warmupSteps: 1,
        clipNorm: 1,
        weightDecay: 0,
        dropout: 0,
        recompute: false,
        baseFormat: 'f32',
        threads: 1
      },
      seed: 5,
      documentSeed: 6,
      firstStep: 0,
      home: home.folder,
      localPath: roundFiles(home, 1).local,
      dtype: 'f32',
      residualFile: undefined,
      residualPath: roundFiles(home, 1).residual,
      ...changes
    })
  })
  afterEach(async () => {
    await trainer.stop()
    await remove()
  })

  it('reports every step, stores every block, writes the adapter; the same seed gives the same blocks', async () => {
    const steps: TrainingProgress[] = []
    const first = await trainer.train(job(), (progress) => steps.push(progress), never)
    assert.deepEqual(
      steps.map(({ step, steps: all }) => [step, all]),
      [1, 2, 3, 4].map((step) => [step, 4])
    )
    assert(steps.every(({ loss }) => loss > 0 && loss < 20))
    assert.equal(first.samples, 12)
    const store = await BlockStore.open(home.folder, memoryLog())
    for (const { blocks } of first.shards) for (const digest of blocks) assert(await store.get(digest))
    const { adapter, samples } = decodeAdapterFile(await readFile(roundFiles(home, 1).local))
    assert.equal(samples, 12)
    assert.deepEqual(
      adapter.pairs.map(({ module }) => module),
      first.shards.map(({ module }) => module)
    )
    // In the same process, then in a fresh one.
    assert.deepEqual(await trainer.train(job(), () => {}, never), first)
    const other = createTrainer()
    assert.deepEqual(await other.train(job(), () => {}, never), first)
    await other.stop()
    const reseeded = await trainer.train(job({ seed: 7 }), () => {}, never)
    assert.notDeepEqual(reseeded.shards, first.shards)
  })

  it('trains on documents that were added since the last round, and on the same tokens where none were', async () => {
    const blocks = async () =>
      (await trainer.train(job(), () => {}, never)).shards.map((shard) => shard.blocks)
    const first = await blocks()
    assert.deepEqual(await blocks(), first)
    await appendFile(
      home.documents,
      `${JSON.stringify({ text: 'The wind rose in the night. '.repeat(9) })}\n`
    )
    const { samples, shards } = await trainer.train(job(), () => {}, never)
    assert.equal(samples, 13)
    assert.notDeepEqual(
      shards.map((shard) => shard.blocks),
      first
    )
    const other = createTrainer()
    assert.deepEqual((await other.train(job(), () => {}, never)).shards, shards)
    await other.stop()
  })

  it('measures what an update does to held-out text, beside a training, and from the round’s own weights', async () => {
    const trained = await trainer.train(job(), () => {}, never)
    const text = join(home.folder, 'heldout.txt')
    const sentence = 'The sea was calm that day. The ship lay still. '
    await writeFile(text, sentence.repeat(9))
    const { shards, ...rest } = trained
    const measuring = (changes: Partial<MeasuringJob> = {}): MeasuringJob => ({
      ...job(),
      shards: shards.map((shard) => ({
        ...shard,
        blocks: shard.blocks.map((digest) => Buffer.from(digest, 'hex'))
      })),
      text: { file: text },
      tokens: 64,
      clip: {},
      before: undefined,
      ...changes
    })
    assert.equal(rest.samples, 12)
    const alone = await trainer.measure(measuring(), never)
    assert(alone.before > 0 && alone.before < 20)
    assert(alone.after < alone.before, 'text like the trained one becomes likelier')
    assert.equal((await trainer.measure(measuring({ before: 3 }), never)).before, 3)
    await writeFile(text, 'Quarterly figures follow below. '.repeat(12))
    assert.notEqual((await trainer.measure(measuring(), never)).before, alone.before, 'the text was changed')
    await writeFile(text, sentence.repeat(9))
    const scorer = await createTextScorer(MODEL, { context: 65 })
    const { adapter } = decodeAdapterFile(await readFile(roundFiles(home, 1).local))
    const reference = await scorer.score(sentence.repeat(9), adapter)
    const scored = reference.perToken.slice(1, 65).map(({ logProb }) => logProb!)
    assert(Math.abs(alone.after + scored.reduce((sum, value) => sum + value, 0) / 64) < 1e-4)
    await scorer.dispose()
    // While the same round trains, it says the same.
    const stop = new AbortController()
    const began = new Promise<void>((resolve) => {
      const long = job({ training: { ...job().training, steps: 100_000 } })
      trainer.train(long, () => resolve(), stop.signal).catch(() => undefined)
    })
    await began
    assert.deepEqual(await trainer.measure(measuring(), never), alone)
    const other = new AbortController()
    const given = trainer.measure(measuring({ tokens: 65_536 }), other.signal)
    other.abort(new Error('too long'))
    await assert.rejects(given, /too long/)
    await assert.rejects(trainer.measure(measuring({ text: { file: '/nowhere' } }), never), /nowhere/)
    const lacking = measuring()
    await assert.rejects(
      trainer.measure({ ...lacking, shards: [{ ...lacking.shards[0]!, blocks: [Buffer.alloc(32)] }] }, never),
      /1 blocks are missing/
    )
    stop.abort()
  })

  it('scales by alpha over the root of the rank where the charter says so', async () => {
    const blocks = async (changes: Partial<TrainingJob>) =>
      (await trainer.train(job({ rank: 4, ...changes }), () => {}, never)).shards.map((shard) => shard.blocks)
    const rankStabilised = await blocks({ alpha: 4, rankStabilised: true })
    // 4 / √4 is 8 / 4.
    assert.deepEqual(rankStabilised, await blocks({ alpha: 8 }))
    assert.notDeepEqual(rankStabilised, await blocks({ alpha: 4 }))
  })

  it('rounds what it sends as the charter says, and makes up for it in the next round', async () => {
    const store = await BlockStore.open(home.folder, memoryLog())
    const whole = await trainer.train(job(), () => {}, never)
    const { residual, local } = roundFiles(home, 1)
    assert(!existsSync(residual), 'float32 loses nothing')
    const exact = decodeAdapterFile(await readFile(local)).adapter
    const int8 = await trainer.train(job({ dtype: 'int8' }), () => {}, never)
    assert(int8.totalBytes < 0.3 * whole.totalBytes)
    const sent = decodeAdapterFile(await readFile(local)).adapter
    const lost = decodeAdapterFile(await readFile(residual)).adapter
    for (const [index, pair] of sent.pairs.entries()) {
      const bytes = await store.get(int8.shards[index]!.blocks[0]!)
      assert.deepEqual(pairFromBlocks({ ...int8.shards[index]!, dtype: 'int8' }, [bytes!]), pair)
      // Trained = sent + residual, as updates.
      const sum = concatenateAdapters([scaleOne(pair), { pairs: [lost.pairs[index]!] }]).pairs[0]!
      const apart = updateNorm(joined(sum, scaleOne(exact.pairs[index]!).pairs[0]!))
      assert(apart < 1e-5 * updateNorm(exact.pairs[index]!))
      assert(updateNorm(lost.pairs[index]!) > 1e-4 * updateNorm(exact.pairs[index]!))
    }
    const residualPath = roundFiles(home, 2).residual
    const alone = await trainer.train(job({ dtype: 'int8', residualPath }), () => {}, never)
    const madeUp = await trainer.train(
      job({ dtype: 'int8', residualFile: residual, residualPath }),
      () => {},
      never
    )
    assert.notDeepEqual(madeUp.shards, alone.shards)
    assert.equal(madeUp.residualFault, undefined)
    await writeFile(residual, 'half a file')
    const without = await trainer.train(
      job({ dtype: 'int8', residualFile: residual, residualPath }),
      () => {},
      never
    )
    assert.deepEqual(without.shards, alone.shards)
    assert.notEqual(without.residualFault, undefined)
  })

  it('goes on from the merged modules of a round, and back to the base, as a fresh process would', async () => {
    const { weights } = loadBaseModel(MODEL)
    const modelFile = join(home.folder, 'merged.safetensors')
    const merged = job().modules.map((module) => {
      const { shape, data } = weights.get(`${module}.weight`)!
      return [`${module}.weight`, { shape, data: data.map((value) => value * 1.25) }] as const
    })
    await writeFile(modelFile, encodeSafetensors(new Map(merged)))
    for (const baseFormat of ['f32', 'int8'] as const) {
      const training = { ...job().training, baseFormat }
      const [base, next] = [job({ training }), job({ training, modelFile })]
      const results = []
      for (const each of [base, next, base, next]) results.push(await trainer.train(each, () => {}, never))
      assert.notDeepEqual(results[0], results[1])
      assert.deepEqual(results.slice(2), results.slice(0, 2))
      const fresh = createTrainer()
      assert.deepEqual(await fresh.train(next, () => {}, never), results[1])
      await fresh.stop()
    }
  })

  it('takes every kind of data that loam train takes; samples are the documents', async () => {
    const answers = ['blue', 'green', 'red'].map((answer, i) => ({ question: `What is ${i}?`, answer }))
    const csv = join(home.folder, 'faq.csv')
    await writeFile(
      csv,
      `question,answer\n${answers.map((row) => Object.values(row).join(',')).join('\n')}\n`
    )
    const folder = join(home.folder, 'corpus')
    await mkdir(folder)
    await writeFile(join(folder, 'a.txt'), 'A calm sea.\n\nA ship.')
    await writeFile(join(folder, 'b.jsonl'), '{"text":"One."}\n{"text":"Two."}\n')
    const chats = join(home.folder, 'chats.json')
    const messages = [
      { role: 'user', content: 'Who swims?' },
      { role: 'assistant', content: 'The whale.' }
    ]
    await writeFile(chats, JSON.stringify([{ messages }, { messages }]))
    const alpaca = join(home.folder, 'alpaca.jsonl')
    await writeFile(alpaca, `${JSON.stringify({ instruction: 'Name a ship', output: 'Pequod' })}\n`)
    const samples = async (documents: string, data: Partial<TrainingJob['data']> = {}) =>
      (await trainer.train(job({ documents, data: { loss: 'completions', ...data } }), () => {}, never))
        .samples
    const template = { prompt: 'Q: {question}\nA:', completion: ' {answer}' }
    assert.equal(await samples(csv, { template }), 3)
    assert.equal(await samples(folder), 3)
    assert.equal(await samples(chats, { chatTemplate: 'chatml' }), 2)
    assert.equal(await samples(alpaca), 1)
    // What is learned of it makes a difference.
    const run = (loss: 'completions' | 'all') =>
      trainer.train(job({ documents: csv, data: { loss, template } }), () => {}, never)
    assert.notDeepEqual((await run('completions')).shards, (await run('all')).shards)
    await assert.rejects(samples(csv), /faq\.csv:2: expected an object with the keys of a known format/)
    await assert.rejects(samples(chats), /chats\.json:record 1: conversations need a chat template/)
  })

  for (const [executor, device] of [
    ['onnxruntime-web', 'wasm'],
    ['tfjs', 'wasm']
  ] as const) {
    it(`trains with ${executor} on ${device} close to the default, and ends its process`, async function () {
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

  it('says why an executor cannot train, and goes on with another', async () => {
    const { training } = job()
    const webgpu = { ...training, executor: 'onnxruntime-web', device: 'webgpu' } as const
    await assert.rejects(
      trainer.train(job({ training: webgpu }), () => {}, never),
      /onnxruntime-web has no device webgpu: it has wasm/
    )
    assert.equal((await trainer.train(job(), () => {}, never)).samples, 12)
  })

  it('stops a cancelled training at its next step, writes nothing of it, and takes the next job after it', async () => {
    const cancel = new AbortController()
    const { training } = job()
    const long = job({ training: { ...training, steps: 100_000 } })
    const cancelled = trainer.train(long, () => cancel.abort(), cancel.signal)
    const next = trainer.train(job({ localPath: roundFiles(home, 2).local }), () => {}, never)
    await assert.rejects(cancelled, /cancelled/)
    assert.equal((await next).samples, 12)
    assert(!existsSync(roundFiles(home, 1).local))
  })

  it('does not begin what was cancelled before its turn', async () => {
    const cancel = new AbortController()
    const first = trainer.train(job(), () => {}, never)
    const second = trainer.train(job(), () => assert.fail('began'), cancel.signal)
    cancel.abort(new Error('no longer wanted'))
    await assert.rejects(second, /no longer wanted/)
    await first
  })

  it('outlives its process: the training is lost, the next one starts a new process', async function () {
    if (process.platform !== 'linux') this.skip()
    const { training } = job()
    const long = job({ training: { ...training, steps: 100_000 } })
    const kill = () => {
      for (const pid of trainerProcesses()) process.kill(pid, 'SIGKILL')
    }
    await assert.rejects(trainer.train(long, kill, never), /the trainer process ended \(SIGKILL\)/)
    assert.equal((await trainer.train(job(), () => {}, never)).samples, 12)
  })

  it('says what is wrong with the documents, and goes on', async () => {
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

  it('ends its process in the middle of a training, and takes no job after that', async function () {
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
