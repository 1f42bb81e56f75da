import { join } from 'node:path'
import { type PreparedPeer, TESTNET_DEFAULTS } from '../../scripts/testnet/index.ts'
import { NetworkRun } from '../../scripts/testnet/network-run.ts'
import { addSettings, keepDocuments, prepareTestnet } from '../../scripts/testnet/prepare-homes.ts'
import { packageRoot } from '../../src/package-root.ts'
import { type Holdings, holdingsOf, readMetrics } from './read-metrics.ts'
import { meanOf, type TenthHoldings, type Tenths } from './verdict.ts'

/** Options of a soak test. */
export interface SoakOptions {
  readonly peers: number
  /** A multiple of ten. */
  readonly rounds: number
  /** Samples per tenth. */
  readonly samples: number
  readonly folder: string
  readonly onProgress: (line: string) => void
  readonly signal: AbortSignal
}

/** Number of documents of each peer. */
const DOCUMENTS = 12
/** Number of rounds whose blocks, models and stacks are retained: few, so that pruning starts in the first tenth. */
const RETAIN_ROUNDS = 4
/** Rounds last a second or two instead of minutes. */
const TIMEOUTS = { gatherMs: 20_000, graceMs: 1_000, proposeMs: 5_000, voteMs: 4_000, growthMs: 1_000 }
const PRUNE_SECONDS = 5
const YOUNG_SECONDS = 30
const STORAGE = {
  pruneEvery: `${PRUNE_SECONDS} s`,
  keepYoung: `${YOUNG_SECONDS} s`,
  keepStacks: RETAIN_ROUNDS
}
const LOG = { level: 'info', maxSize: '128 KiB', keepFiles: 1 }

/** Runs real peer processes for a number of rounds, and returns the resources that each held in every tenth. */
export async function runSoak(options: SoakOptions): Promise<Tenths[]> {
  const prepared = await prepareTestnet(
    {
      ...TESTNET_DEFAULTS,
      peers: options.peers,
      // The peers keep participating while the last samples are read.
      rounds: options.rounds + 100,
      ranks: [2, 1],
      steps: 1,
      batchSize: 1,
      sequenceLength: 16,
      model: join(packageRoot(), 'models', 'loam-base-1m'),
      folder: options.folder
    },
    options.onProgress,
    { timeouts: TIMEOUTS, targetModules: ['q_proj', 'v_proj'], retain: RETAIN_ROUNDS }
  )
  await addSettings(prepared.peers, { storage: STORAGE, log: LOG })
  await keepDocuments(prepared.peers, DOCUMENTS)
  const run = new NetworkRun(prepared, () => {}, options.onProgress)
  try {
    await run.start()
    const tenths: TenthHoldings[][] = prepared.peers.map(() => [])
    const began = performance.now()
    let tenthBegan = began
    for (let tenth = 0; tenth < 10; tenth++) {
      const samples: Holdings[][] = []
      for (let sample = 1; sample <= options.samples; sample++) {
        const round = Math.round(((tenth + sample / options.samples) * options.rounds) / 10)
        await run.untilSealed(round, options.signal)
        samples.push(await Promise.all(prepared.peers.map(holdings)))
      }
      const now = performance.now()
      const roundsPerSecond = options.rounds / 10 / ((now - tenthBegan) / 1000)
      tenthBegan = now
      const roundsKept = RETAIN_ROUNDS + (PRUNE_SECONDS + YOUNG_SECONDS) * roundsPerSecond
      for (const [peer, kept] of tenths.entries())
        kept.push({ ...meanOf(samples.map((row) => row[peer]!)), roundsKept })
      const seconds = Math.round((now - began) / 1000)
      const megabytes = tenths.map((kept) => Math.round(kept.at(-1)!.memory / 1e6)).join(' ')
      options.onProgress(
        `round ${((tenth + 1) * options.rounds) / 10}: ${seconds} s, memory of the peers ${megabytes} MB`
      )
    }
    return tenths
  } finally {
    await run.stop()
  }
}

async function holdings({ home }: PreparedPeer): Promise<Holdings> {
  return holdingsOf(await readMetrics(home))
}
