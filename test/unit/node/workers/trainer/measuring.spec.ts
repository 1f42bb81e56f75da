import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeAdapterFile } from '../../../../../src/adapter/index.ts'
import { createTextScorer } from '../../../../../src/model/index.ts'
import { roundFiles } from '../../../../../src/node/home/home.ts'
import type { MeasuringJob } from '../../../../../src/node/workers/trainer/training-job.ts'
import { MODEL } from '../../one-member.ts'
import { never, trainerSuite } from './training-home.ts'

describe('a trainer that measures updates', function () {
  this.timeout(60_000)
  const suite = trainerSuite()
  const { trainer, job } = suite

  it('measures the effect of an update on held-out text, beside a training, from the round’s own weights', async () => {
    const trained = await trainer.train(job(), () => {}, never)
    const text = join(suite.home.folder, 'heldout.txt')
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
    const { adapter } = decodeAdapterFile(await readFile(roundFiles(suite.home, 1).local))
    const reference = await scorer.score(sentence.repeat(9), adapter)
    const scored = reference.perToken.slice(1, 65).map(({ logProb }) => logProb!)
    assert(Math.abs(alone.after + scored.reduce((sum, value) => sum + value, 0) / 64) < 1e-4)
    await scorer.dispose()
    // It gives the same result while the same round trains.
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

  it('measures on documents kept back from training, with updates scaled as the stack would scale them', async () => {
    const lines = Array.from({ length: 40 }, (_, i) =>
      JSON.stringify({ text: `Letter ${i}. ${'The wind rose in the night, and we lay by. '.repeat(12)}` })
    )
    await writeFile(suite.home.documents, `${lines.join('\n')}\n`)
    const tokens = 200
    const { shards, samples } = await trainer.train(job({ keptBack: tokens }), () => {}, never)
    assert.equal(samples, 39, 'one letter is enough')
    const measuring: MeasuringJob = {
      ...job(),
      shards: shards.map((shard) => ({
        ...shard,
        blocks: shard.blocks.map((digest) => Buffer.from(digest, 'hex'))
      })),
      ...{
        text: { documents: suite.home.documents, data: job().data, keptBack: tokens },
        tokens,
        clip: {},
        before: undefined
      }
    }
    const { before, after } = await trainer.measure(measuring, never)
    assert(after < before, 'the letters are alike')
    const tiny = Object.fromEntries(shards.map(({ module }) => [module, 1e-9]))
    const clipped = await trainer.measure({ ...measuring, clip: tiny }, never)
    assert.equal(clipped.before, before)
    assert(Math.abs(clipped.after - before) < 1e-6, 'a clipped update has hardly any effect')
    await writeFile(suite.home.documents, `${lines.slice(0, 3).join('\n')}\n`)
    await assert.rejects(trainer.measure({ ...measuring, tokens: 16 }, never), /too few to keep 128 tokens/)
  })
})
