/**
 * The peer's own builder on some modules of Llama 7B's shape: blocks and the previous model are read from disk, stack
 * and model are written there. Files are created in one process and built from in another, so that only the builder's
 * memory is measured.
 *
 * Usage: node --expose-gc builder.js FEATURES MODULES THREADS; prints a {@link BuilderMemory} as JSON.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { peakMemoryBytes } from '../../lab/processes/peak-memory.ts'
import { shardFromPair } from '../../src/adapter/index.ts'
import { safetensorsHead } from '../../src/formats/index.ts'
import { BlockStore, writeFileAtomic } from '../../src/node/storage/index.ts'
import { buildRound } from '../../src/node/workers/builder/build-round.ts'
import type { ShardSource } from '../../src/node/workers/builder/jobs.ts'
import { mergeThreads } from '../../src/node/workers/builder/merge-threads.ts'
import { sharedNumbers } from './merge-speed.ts'
import { RANKS } from './stack-speed.ts'

/** Memory and time of one build. */
export interface BuilderMemory {
  readonly adapterBytes: number
  /** Peak resident bytes during the build, above those before it. */
  readonly peakBytes: number
  readonly seconds: number
}

const [features, modules, count] = process.argv.slice(2, 5).map(Number) as [number, number, number]
const prepared = process.argv[5]
const names = Array.from({ length: modules }, (_, i) => `model.layers.${i}.self_attn.q_proj`)
const log = { debug() {}, info() {}, warn() {}, error() {} }
if (prepared === undefined) await prepareAndMeasure()
else console.log(JSON.stringify(await build(prepared)))

async function prepareAndMeasure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'loam-bench-builder-'))
  try {
    const sources = await storeShards(await BlockStore.open(folder, log))
    writeFileSync(join(folder, 'sources'), serialize(sources))
    await writeFileAtomic(join(folder, 'before'), weightFile())
    const child = spawnSync(process.execPath, ['--expose-gc', ...process.argv.slice(1, 5), folder], {
      stdio: 'inherit'
    })
    process.exitCode = child.status ?? 1
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function build(folder: string): Promise<BuilderMemory> {
  const store = await BlockStore.open(folder, log)
  const sources = deserialize(readFileSync(join(folder, 'sources'))) as ShardSource[]
  const threads = mergeThreads(count)
  const job = {
    type: 'build',
    clip: 'none',
    normCap: 1_000,
    sources,
    rankStabilised: false,
    weights: 'samples',
    baseFolder: ''
  } as const
  const files = { stackPath: join(folder, 'stack'), modelPath: join(folder, 'model') }
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const begin = performance.now()
  const modelFile = join(folder, 'before')
  const built = await buildRound(store, { ...job, ...files, modules: names, modelFile }, threads)
  const seconds = (performance.now() - begin) / 1000
  await threads.stop()
  if (!built.finite) throw new Error('the result is not finite')
  const adapterBytes = 8 * features * modules * RANKS.reduce((sum, rank) => sum + rank, 0)
  return { adapterBytes, peakBytes: peakMemoryBytes() - before, seconds }
}

async function storeShards(store: BlockStore): Promise<ShardSource[]> {
  const sources: ShardSource[] = []
  for (const [k, rank] of RANKS.entries()) {
    const shards: ShardSource['shards'][number][] = []
    for (const module of names) {
      const pair = { module, rank, alpha: 2 * rank, inFeatures: features, outFeatures: features }
      const [A, B] = [sharedNumbers(rank * features), sharedNumbers(features * rank)]
      const { blocks } = shardFromPair({ ...pair, A, B })
      for (const { digest, bytes } of blocks) await store.put(digest, Uint8Array.from(bytes))
      shards.push({ ...pair, blocks: blocks.map(({ digest }) => Buffer.from(digest, 'hex')) })
    }
    sources.push({ author: Uint8Array.of(k), samples: 1, dtype: 'f32', shards })
  }
  return sources
}

function* weightFile(): Generator<Uint8Array> {
  yield safetensorsHead(new Map(names.map((name) => [`${name}.weight`, [features, features]])))
  const rows = new Uint8Array(sharedNumbers(256 * features).buffer)
  for (let row = 0; row < modules * features; row += 256) yield rows
}
