import type { ShardDtype } from '../../src/adapter/index.ts'
import type { ExecutorChoice } from '../../src/model/index.ts'

/** What a testnet is made of. */
export interface TestnetOptions extends ExecutorChoice {
  readonly peers: number
  readonly rounds: number
  /** LoRA ranks, given to the peers in turn. */
  readonly ranks: readonly number[]
  /** Optimizer steps a round. */
  readonly steps: number
  readonly batchSize: number
  readonly sequenceLength: number
  readonly learningRate: number
  /** Element format in which shards travel; f32 where it is not given. */
  readonly dtype?: ShardDtype
  /** Threads of each trainer. */
  readonly threads: number
  /** Base model folder. */
  readonly model: string
  /** Folder that holds everything: homes, charter, adapter. */
  readonly folder: string
  /** Seed of the split into training and held-out documents. */
  readonly seed: number
}

/** Settings of a testnet where none are given: under five minutes on two cores. */
export const TESTNET_DEFAULTS = {
  peers: 4,
  rounds: 3,
  ranks: [16, 8, 4, 2],
  steps: 40,
  batchSize: 8,
  sequenceLength: 128,
  learningRate: 2e-3,
  threads: 1,
  seed: 1
} as const

/** Training that is over in a second or two, where the network is what is tried and not the model. */
export const SHORT_TRAINING = { ranks: [2, 1], steps: 4, batchSize: 2, sequenceLength: 32 } as const

/** Most peers: there are that many domains. */
export const PEERS_MAX = 16
