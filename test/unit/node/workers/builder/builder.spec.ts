import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_BYTES_MAX, type LoraPair, shardFromPair } from '../../../../../src/adapter/index.ts'
import { sha256Hex } from '../../../../../src/formats/index.ts'
import { type Home, roundFiles } from '../../../../../src/node/home/home.ts'
import { BlockStore } from '../../../../../src/node/storage/index.ts'
import { type Builder, startBuilder } from '../../../../../src/node/workers/builder/builder.ts'
import type { BuildJob, ShardSource, ValidateJob } from '../../../../../src/node/workers/builder/jobs.ts'
import { listedDigest } from '../../../formats/digest/listed-digest.ts'
import { memoryLog } from '../../memory-log.ts'
import { MODEL, type OneMember, oneMember, smallPair } from '../../one-member.ts'
import { temporaryHome } from '../../temporary-home.ts'

describe('the builder', () => {
  let home: Home
  let remove: () => Promise<void>
  let member: OneMember
  let store: BlockStore
  let builder: Builder
  const log = memoryLog()

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    member = await oneMember(home)
    store = await BlockStore.open(home.folder, log)
    builder = startBuilder(home.folder, log)
  })
  afterEach(async () => {
    await builder.stop()
    await remove()
  })

  /** A member's shard with its blocks stored: the pair's own, or others instead. */
  const sourceOf = async (pair: LoraPair, author = 1, blocks: readonly Uint8Array[] = []) => {
    const stored = blocks.length > 0 ? blocks : shardFromPair(pair).blocks.map(({ bytes }) => bytes)
    for (const bytes of stored) await store.put(sha256Hex(bytes), bytes)
    const { module, rank, alpha, inFeatures, outFeatures } = pair
    const digests = stored.map((bytes) => Buffer.from(sha256Hex(bytes), 'hex'))
    const source: ShardSource = {
      author: new Uint8Array(38).fill(author),
      samples: 10 * author,
      dtype: 'f32',
      shards: [{ module, rank, alpha, inFeatures, outFeatures, blocks: digests }]
    }
    return source
  }
  const validateJob = (source: ShardSource, absolute = 1e9): ValidateJob => ({
    type: 'validate',
    source,
    rankStabilised: false,
    bounds: { absolute, byModule: {} }
  })
  const buildJob = (sources: readonly ShardSource[], folder = home): BuildJob => ({
    type: 'build',
    sources,
    rankStabilised: false,
    weights: 'samples',
    clip: 'none',
    normCap: 1e3,
    baseFolder: MODEL,
    modules: member.charter.charter.base.modules.map(({ module }) => module),
    modelFile: undefined,
    stackPath: roundFiles(folder, 1).stack,
    modelPath: roundFiles(folder, 1).model
  })
  const faultOf = async (job: ValidateJob) => {
    const result = await builder.validate(job)
    return result.type === 'validated' ? result.fault : assert.fail(result.type)
  }

  it('accepts sound shards', async () => {
    assert.equal(await faultOf(validateJob(await sourceOf(smallPair(member.charter)))), undefined)
  })

  it('refuses non-finite values in A and in B', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const pair = smallPair(member.charter)
      const bytes = Buffer.concat(shardFromPair(pair).blocks.map((block) => block.bytes))
      for (const at of [0, bytes.length - 4]) {
        const changed = Buffer.from(bytes)
        changed.writeFloatLE(value, at)
        assert.match((await faultOf(validateJob(await sourceOf(pair, 1, [changed]))))!, /NaN or infinity/)
      }
    }
  })

  it('refuses an update above its bound, and a module above its own bound', async () => {
    const pair = smallPair(member.charter)
    const source = await sourceOf(pair)
    // ‖s·B·A‖ = 2 · 0.5 · 0.5 · √(in · out) for rank 1 and alpha 2.
    const norm = 0.5 * Math.sqrt(pair.inFeatures * pair.outFeatures)
    assert.equal(await faultOf(validateJob(source, norm * 1.001)), undefined)
    assert.match((await faultOf(validateJob(source, norm * 0.999)))!, /norm .* is above/)
    const bounds = { absolute: 1e9, byModule: { [pair.module]: norm / 2 } }
    assert.match((await faultOf({ ...validateJob(source), bounds }))!, /is above/)
  })

  it('refuses blocks that are shorter or longer than the shard', async () => {
    const pair = smallPair(member.charter)
    for (const length of [4, BLOCK_BYTES_MAX])
      assert(await faultOf(validateJob(await sourceOf(pair, 1, [new Uint8Array(length)]))))
  })

  it('lists missing and damaged blocks, and builds nothing from them', async () => {
    const source = await sourceOf(smallPair(member.charter))
    const digest = Buffer.from(source.shards[0]!.blocks[0]!).toString('hex')
    await writeFile(join(home.blocks, digest), 'damaged')
    assert.deepEqual(await builder.validate(validateJob(source)), { type: 'missing', digests: [digest] })
    assert.match(log.messages.at(-1)!, /a stored block is damaged/)
    assert.deepEqual(await builder.build(buildJob([source])), { type: 'missing', digests: [digest] })
    await assert.rejects(readFile(roundFiles(home, 1).stack), /ENOENT/)
  })

  it('builds the same bits in two independent runs, and names them by their digests', async () => {
    const sources = [
      await sourceOf(smallPair(member.charter, 0.25), 1),
      await sourceOf(smallPair(member.charter, -0.3), 2)
    ]
    const built = await builder.build(buildJob(sources))
    assert(built.type === 'built' && built.finite)
    assert.equal(sha256Hex(await readFile(roundFiles(home, 1).stack)), built.stack)
    const model = await readFile(roundFiles(home, 1).model)
    assert.equal(listedDigest(model).toString('hex'), built.model)
    assert.deepEqual([built.modelFile.path, built.modelFile.bytes], [roundFiles(home, 1).model, model.length])
    const other = startBuilder(home.folder, log)
    await rm(roundFiles(home, 1).folder, { recursive: true })
    assert.deepEqual(await other.build(buildJob(sources)), built)
    // Samples are 10 and 20: fixed weights with the same shares give the same round, equal ones another.
    const fixed = new Map(sources.map(({ author }, k) => [Buffer.from(author).toString('hex'), k + 1]))
    assert.deepEqual(await other.build({ ...buildJob(sources), weights: fixed }), built)
    const uniform = await other.build({ ...buildJob(sources), weights: 'uniform' })
    assert(uniform.type === 'built' && uniform.finite && uniform.stack !== built.stack)
    await other.stop()
  })

  it('is void, and writes nothing, if the result is not finite', async () => {
    const source = await sourceOf(smallPair(member.charter, 3e38))
    const built = await builder.build(buildJob([source]))
    assert(built.type === 'built' && !built.finite)
    assert.deepEqual(
      built.leftOut.map(({ author }) => author),
      [source.author]
    )
    await assert.rejects(readFile(roundFiles(home, 1).stack), /ENOENT/)
  })

  it('excludes a member whose factors would spoil the sum, and names it', async () => {
    const pair = smallPair(member.charter)
    const attack = { ...pair, A: pair.A.map(() => 2 ** 40), B: pair.B.map(() => 2 ** 40) }
    const sound = await sourceOf(pair)
    const alone = await builder.build(buildJob([sound]))
    const built = await builder.build(buildJob([sound, await sourceOf(attack, 2)]))
    assert(alone.type === 'built' && alone.finite && built.type === 'built' && built.finite)
    assert.deepEqual([built.stack, built.model], [alone.stack, alone.model])
    assert.match(built.leftOut[0]!.reason, new RegExp(`^${pair.module}: the factors cancel or are too large`))
  })

  it('reports why a job failed, and does the next', async () => {
    const source = await sourceOf(smallPair(member.charter))
    const nowhere = { ...buildJob([source]), baseFolder: '/nowhere' }
    await assert.rejects(builder.build(nowhere), /nowhere/)
    assert.equal(await faultOf(validateJob(source)), undefined)
  })

  it('restarts when its thread has died, but not when it was stopped', async () => {
    const source = await sourceOf(smallPair(member.charter))
    const mortal = startBuilder(home.folder, log, new URL('./mortal-worker.js', import.meta.url))
    const deadly = join(home.folder, 'die')
    await writeFile(deadly, '')
    for (let death = 0; death < 2; death++)
      await assert.rejects(mortal.validate(validateJob(source)), /the builder thread has ended/)
    await rm(deadly)
    assert.deepEqual(await mortal.validate(validateJob(source)), { type: 'validated', fault: undefined })
    const underWay = mortal.validate(validateJob(source))
    const rejected = assert.rejects(underWay, /the builder thread has ended/)
    await mortal.stop()
    await rejected
    await assert.rejects(mortal.validate(validateJob(source)), /has been stopped/)
  })
})
