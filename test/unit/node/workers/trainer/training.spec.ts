import assert from 'node:assert/strict'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeAdapterFile } from '../../../../../src/adapter/index.ts'
import { encodeSafetensors } from '../../../../../src/formats/index.ts'
import { loadBaseModel } from '../../../../../src/model/index.ts'
import { roundFiles } from '../../../../../src/node/home/home.ts'
import { BlockStore } from '../../../../../src/node/storage/index.ts'
import { createTrainer } from '../../../../../src/node/workers/trainer/trainer.ts'
import type { TrainingJob, TrainingProgress } from '../../../../../src/node/workers/trainer/training-job.ts'
import { memoryLog } from '../../memory-log.ts'
import { MODEL } from '../../one-member.ts'
import { never, trainerSuite } from './training-home.ts'

describe('the result of a training', function () {
  this.timeout(60_000)
  const suite = trainerSuite()
  const { trainer, job } = suite

  it('reports every step, stores every block, writes the adapter, and is reproducible for a seed', async () => {
    const steps: TrainingProgress[] = []
    const first = await trainer.train(job(), (progress) => steps.push(progress), never)
    assert.deepEqual(
      steps.map(({ step, steps: all }) => [step, all]),
      [1, 2, 3, 4].map((step) => [step, 4])
    )
    assert(steps.every(({ loss }) => loss > 0 && loss < 20))
    assert.equal(first.samples, 12)
    const store = await BlockStore.open(suite.home.folder, memoryLog())
    for (const { blocks } of first.shards) for (const digest of blocks) assert(await store.get(digest))
    const { adapter, samples } = decodeAdapterFile(await readFile(roundFiles(suite.home, 1).local))
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

  it('includes documents added since the last round, and is the same without new ones', async () => {
    const blocks = async () =>
      (await trainer.train(job(), () => {}, never)).shards.map((shard) => shard.blocks)
    const first = await blocks()
    assert.deepEqual(await blocks(), first)
    await appendFile(
      suite.home.documents,
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

  it('is scaled by alpha over the root of the rank if the charter says so', async () => {
    const blocks = async (changes: Partial<TrainingJob>) =>
      (await trainer.train(job({ rank: 4, ...changes }), () => {}, never)).shards.map((shard) => shard.blocks)
    const rankStabilised = await blocks({ alpha: 4, rankStabilised: true })
    // 4 / √4 is 8 / 4.
    assert.deepEqual(rankStabilised, await blocks({ alpha: 8 }))
    assert.notDeepEqual(rankStabilised, await blocks({ alpha: 4 }))
  })

  it('starts from the merged modules of a round, or from the base, as in a fresh process', async () => {
    const { weights } = loadBaseModel(MODEL)
    const modelFile = join(suite.home.folder, 'merged.safetensors')
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

  it('counts documents as samples, for every kind of data that loam train accepts', async () => {
    const answers = ['blue', 'green', 'red'].map((answer, i) => ({ question: `What is ${i}?`, answer }))
    const csv = join(suite.home.folder, 'faq.csv')
    await writeFile(
      csv,
      `question,answer\n${answers.map((row) => Object.values(row).join(',')).join('\n')}\n`
    )
    const folder = join(suite.home.folder, 'corpus')
    await mkdir(folder)
    await writeFile(join(folder, 'a.txt'), 'A calm sea.\n\nA ship.')
    await writeFile(join(folder, 'b.jsonl'), '{"text":"One."}\n{"text":"Two."}\n')
    const chats = join(suite.home.folder, 'chats.json')
    const messages = [
      { role: 'user', content: 'Who swims?' },
      { role: 'assistant', content: 'The whale.' }
    ]
    await writeFile(chats, JSON.stringify([{ messages }, { messages }]))
    const alpaca = join(suite.home.folder, 'alpaca.jsonl')
    await writeFile(alpaca, `${JSON.stringify({ instruction: 'Name a ship', output: 'Pequod' })}\n`)
    const samples = async (documents: string, data: Partial<TrainingJob['data']> = {}) =>
      (await trainer.train(job({ documents, data: { loss: 'completions', ...data } }), () => {}, never))
        .samples
    const template = { prompt: 'Q: {question}\nA:', completion: ' {answer}' }
    assert.equal(await samples(csv, { template }), 3)
    assert.equal(await samples(folder), 3)
    assert.equal(await samples(chats, { chatTemplate: 'chatml' }), 2)
    assert.equal(await samples(alpaca), 1)
    // Which tokens are trained on makes a difference.
    const run = (loss: 'completions' | 'all') =>
      trainer.train(job({ documents: csv, data: { loss, template } }), () => {}, never)
    assert.notDeepEqual((await run('completions')).shards, (await run('all')).shards)
    await assert.rejects(samples(csv), /faq\.csv:2, 3, 4: expected an object with the keys of a known format/)
    await assert.rejects(samples(chats), /chats\.json:record 1: conversations need a chat template/)
  })
})
