import assert from 'node:assert/strict'
import {
  type LoraPair,
  type MemberWeights,
  pairFromBlocks,
  type ShardDtype,
  type StackMember,
  shardFromPair,
  stackAdapters
} from '../../../../../src/adapter/index.ts'
import { compareStrings, sha256Hex, stackDigest } from '../../../../../src/formats/index.ts'
import { BlockStore } from '../../../../../src/node/storage/index.ts'
import type { ShardSource } from '../../../../../src/node/workers/builder/jobs.ts'
import { stackCut } from '../../../../../src/node/workers/builder/stack-cut.ts'
import { validateShards } from '../../../../../src/node/workers/builder/validate-shards.ts'
import { memoryLog } from '../../memory-log.ts'
import { temporaryHome } from '../../temporary-home.ts'

/** Of different sizes, so that a module does not fill the memory of the previous one. */
const SHAPES = [
  { module: 'model.layers.0.self_attn.q_proj', inFeatures: 24, outFeatures: 20 },
  { module: 'model.layers.0.self_attn.v_proj', inFeatures: 9, outFeatures: 7 },
  { module: 'model.layers.1.self_attn.q_proj', inFeatures: 24, outFeatures: 20 }
]
const MODULES = SHAPES.map(({ module }) => module)

/** A is the same for all members, as ffa needs it. */
function member(author: number, rank: number): StackMember {
  const pairs: LoraPair[] = SHAPES.map((shape, m) => ({
    ...shape,
    rank,
    alpha: 2 * rank,
    A: Float32Array.from({ length: rank * shape.inFeatures }, (_, i) => ((i * 7 + m) % 19) / 8 - 1),
    B: Float32Array.from(
      { length: shape.outFeatures * rank },
      (_, i) => ((i * 11 + 3 * m + author) % 23) / 16 - 0.5
    )
  }))
  return { author: Uint8Array.of(author), samples: 10 + author, adapter: { pairs } }
}

/** A member's numbers after encoding and decoding. */
function received({ adapter, ...rest }: StackMember, dtype: ShardDtype): StackMember {
  const pairs = adapter.pairs.map((pair) => {
    const shard = shardFromPair(pair, dtype)
    return pairFromBlocks(
      shard,
      shard.blocks.map(({ bytes }) => bytes)
    )
  })
  return { ...rest, adapter: { pairs } }
}

describe('aggregating a cut from its blocks', () => {
  let store: BlockStore
  let remove: () => Promise<void>
  beforeEach(async () => {
    const temporary = await temporaryHome()
    remove = temporary.remove
    store = await BlockStore.open(temporary.home.folder, memoryLog())
  })
  afterEach(() => remove())

  const sourceOf = async ({ author, samples, adapter }: StackMember, dtype: ShardDtype) => {
    const shards: ShardSource['shards'][number][] = []
    for (const pair of adapter.pairs) {
      const { blocks } = shardFromPair(pair, dtype)
      for (const { digest, bytes } of blocks) await store.put(digest, bytes)
      shards.push({ ...pair, blocks: blocks.map(({ digest }) => Buffer.from(digest, 'hex')) })
    }
    return { author, samples, dtype, shards }
  }

  for (const dtype of ['f32', 'bf16', 'int8'] as const) {
    it(`module by module matches the whole at once bit for bit, from ${dtype}`, async () => {
      for (const ranks of [[3], [3, 3], [4, 1, 2]]) {
        const members = ranks.map((rank, k) => member(k + 1, rank))
        const sources = []
        for (const each of members) sources.push(await sourceOf(each, dtype))
        const cut = await stackCut(store, {
          sources,
          modules: MODULES,
          weights: 'samples',
          rankStabilised: false,
          clip: 'none',
          normCap: 1e3
        })
        const whole = stackAdapters(members.map((each) => received(each, dtype)))
        assert.equal(stackDigest(cut.tensors), stackDigest(whole.tensors), `ranks ${ranks}`)
        assert.deepEqual(
          cut.adapter.pairs.map(({ module }) => module),
          [...MODULES].sort(compareStrings)
        )
      }
    })
  }

  it('weights members as configured', async () => {
    const members = [member(1, 2), member(2, 2), member(3, 1)]
    const sources: ShardSource[] = []
    for (const each of members) sources.push(await sourceOf(each, 'f32'))
    const of = async (weights: MemberWeights) => {
      const job = {
        sources,
        modules: MODULES,
        rankStabilised: false,
        weights,
        clip: 'none' as const,
        normCap: 1e3
      }
      return stackDigest((await stackCut(store, job)).tensors)
    }
    const fixed = new Map(['01', '02', '03'].map((author, k) => [author, [1, 5, 2][k]!]))
    const digests = await Promise.all([of('samples'), of('uniform'), of(fixed)])
    assert.equal(new Set(digests).size, 3)
    for (const [k, weights] of (['samples', 'uniform', fixed] as const).entries())
      assert.equal(digests[k], stackDigest(stackAdapters(members, { weights }).tensors))
    await assert.rejects(of(new Map([['01', 1]])), /no weight for author 02/)
  })

  it('excludes a member whose shards do not have the shapes of the charter, and names the module', async () => {
    const members = [member(1, 2), member(2, 2), member(3, 2)]
    const job = {
      modules: MODULES,
      shapes: Object.fromEntries(SHAPES.map((shape) => [shape.module, shape])),
      rankStabilised: false,
      weights: 'samples',
      clip: 'median',
      normCap: 1e3
    } as const
    const sources: ShardSource[] = []
    for (const each of members) sources.push(await sourceOf(each, 'f32'))
    const alone = await stackCut(store, { ...job, sources: [sources[0]!, sources[2]!] })
    const [first, ...rest] = sources[1]!.shards
    const wrong = {
      shape: [{ ...first!, inFeatures: 12, outFeatures: 32 }, ...rest],
      module: [{ ...first!, module: 'model.layers.9.mlp' }, ...rest],
      twice: [first!, first!, ...rest]
    }
    for (const shards of Object.values(wrong)) {
      const liar = { ...sources[1]!, shards }
      const { leftOut, tensors } = await stackCut(store, {
        ...job,
        sources: [sources[0]!, liar, sources[2]!]
      })
      assert.deepEqual(
        leftOut.map(({ author }) => author),
        [liar.author]
      )
      assert.match(leftOut[0]!.reason, /^model\.layers\.\d/)
      assert.equal(stackDigest(tensors), stackDigest(alone.tensors))
    }
  })

  it('clips as the job says, bit for bit like the whole at once', async () => {
    const members = [member(1, 2), member(2, 4), member(3, 1)]
    const sources: ShardSource[] = []
    for (const each of members) sources.push(await sourceOf(each, 'f32'))
    const job = {
      sources,
      modules: MODULES,
      rankStabilised: false,
      weights: 'samples',
      normCap: 1e3
    } as const
    const [clipped, plain] = await Promise.all(
      (['median', 'none'] as const).map((clip) => stackCut(store, { ...job, clip }))
    )
    assert.equal(
      stackDigest(clipped!.tensors),
      stackDigest(stackAdapters(members, { clip: 'median' }).tensors)
    )
    assert.notEqual(stackDigest(clipped!.tensors), stackDigest(plain!.tensors))
  })

  it('excludes a member whose shard has too many, too few or too long blocks', async () => {
    const [sound, bad] = [await sourceOf(member(1, 2), 'f32'), await sourceOf(member(2, 2), 'f32')]
    const [first, ...others] = bad.shards
    const job = {
      modules: MODULES,
      rankStabilised: false,
      weights: 'samples',
      clip: 'none',
      normCap: 1e3
    } as const
    const alone = await stackCut(store, { ...job, sources: [sound] })
    const long = new Uint8Array(4096)
    await store.put(sha256Hex(long), long)
    for (const [blocks, reason] of [
      [[], /0 blocks, not 1/],
      [[Buffer.from(sha256Hex(long), 'hex')], /a block holds 4096 bytes, not 352/]
    ] as const) {
      const shards = [{ ...first!, blocks: [...blocks] }, ...others]
      const cut = await stackCut(store, { ...job, sources: [sound, { ...bad, shards }] })
      assert.equal(stackDigest(cut.tensors), stackDigest(alone.tensors))
      assert.deepEqual(
        cut.leftOut.map(({ author }) => author),
        [bad.author]
      )
      assert.match(cut.leftOut[0]!.reason, reason)
    }
  })

  for (const [name, A, B, alpha] of [
    ['whose factors cancel', [2 ** 40, 2 ** 40], [1, -1], 2],
    ['that overflows in float32', [3e36, 3e36], [0, 0], 512],
    ['with the largest float32 beside 0', [3.4e38, 0], [0, 3.4e38], 2]
  ] as const) {
    it(`excludes a member ${name}, and stacks the others as if it had not been there`, async () => {
      const honest = [member(1, 2), member(3, 1)]
      const attack: StackMember = {
        author: Uint8Array.of(2),
        samples: 20,
        adapter: {
          pairs: SHAPES.map((shape) => ({
            ...shape,
            rank: 2,
            alpha,
            A: Float32Array.from({ length: 2 * shape.inFeatures }, (_, i) => A[i < shape.inFeatures ? 0 : 1]),
            B: Float32Array.from({ length: 2 * shape.outFeatures }, (_, i) => B[i % 2]!)
          }))
        }
      }
      const job = {
        modules: MODULES,
        rankStabilised: false,
        weights: 'samples',
        clip: 'none',
        normCap: 1e3
      } as const
      const sources = []
      for (const each of [honest[0]!, attack, honest[1]!]) sources.push(await sourceOf(each, 'f32'))
      const cut = await stackCut(store, { ...job, sources })
      assert(cut.finite)
      assert.equal(stackDigest(cut.tensors), stackDigest(stackAdapters(honest).tensors))
      assert.deepEqual(
        cut.leftOut.map(({ author }) => author),
        [attack.author]
      )
      assert.match(cut.leftOut[0]!.reason, /^model\.layers\.0\.self_attn\.q_proj: /)
      const source = sources[1]!
      const bounds = { absolute: 1e3, byModule: {} }
      const fault = await validateShards(store, { type: 'validate', source, rankStabilised: false, bounds })
      assert.equal(fault, cut.leftOut[0]!.reason)
      const none = await stackCut(store, { ...job, sources: [source] })
      assert.equal(none.finite, false)
      assert.equal(none.leftOut.length, 1)
    })
  }
})
