import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  NetworkRun,
  type PreparedTestnet,
  prepareTestnet,
  TESTNET_DEFAULTS
} from '../../../scripts/testnet/index.ts'
import type { ShardDtype } from '../../../src/adapter/index.ts'
import { packageRoot } from '../../../src/package-root.ts'

/** A network small enough for a test: real processes, sockets, model and text, but few and short steps. */
export interface SmallTestnet {
  readonly folder: string
  readonly prepared: PreparedTestnet
  readonly run: NetworkRun
  /** Stops every peer and removes the homes. */
  end(): Promise<void>
}

/** Prepares a small network; nothing is started yet. */
export async function smallTestnet(
  peers: number,
  rounds: number,
  dtype: ShardDtype = 'f32'
): Promise<SmallTestnet> {
  const folder = await mkdtemp(join(tmpdir(), 'loam-test-'))
  const options = {
    ...TESTNET_DEFAULTS,
    peers,
    rounds,
    ranks: [4, 2, 3, 1],
    steps: 6,
    batchSize: 2,
    sequenceLength: 32,
    dtype,
    model: join(packageRoot(), 'models', 'loam-base-1m'),
    folder
  }
  const prepared = await prepareTestnet(options, () => {}, {
    timeouts: { gatherMs: 12_000, graceMs: 1_000 }
  })
  const run = new NetworkRun(prepared)
  return {
    folder,
    prepared,
    run,
    async end() {
      await run.stop()
      await rm(folder, { recursive: true, force: true })
    }
  }
}
