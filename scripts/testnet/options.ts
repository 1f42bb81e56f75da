import { z } from 'zod'
import { SHARD_DTYPES, type ShardDtype } from '../../src/adapter/index.ts'
import type { ExecutorChoice } from '../../src/model/index.ts'
import {
  describeSetting,
  NON_NEGATIVE_INTEGER,
  type Setting,
  setting,
  trainingSettings
} from '../../src/node/config/index.ts'

/** Options of a testnet. */
export interface TestnetOptions extends ExecutorChoice {
  readonly peers: number
  readonly rounds: number
  /** LoRA ranks, assigned to the peers in turn. */
  readonly ranks: readonly number[]
  /** Optimizer steps per round. */
  readonly steps: number
  readonly batchSize: number
  readonly sequenceLength: number
  readonly learningRate: number
  /** Element format of shards on the wire; f32 by default. */
  readonly dtype?: ShardDtype
  /** Threads of each trainer. */
  readonly threads: number
  /** Base model folder. */
  readonly model: string
  /** Folder for everything: homes, charter, adapter. */
  readonly folder: string
  /** Seed of the split into training and held-out documents. */
  readonly seed: number
}

/** Most peers: the number of domains. */
export const PEERS_MAX = 16
const RANK_MAX = 1024

const { steps, batchSize, sequenceLength, learningRate, threads, executor, device } = trainingSettings.shape

/** The settings of `loam testnet`: its own, and those of a peer's training with the same defaults. */
const settings = {
  peers: setting(z.number().int().min(2).max(PEERS_MAX).default(4), {
    description: 'number of peers, each a separate process',
    accepts: `an integer from 2 to ${PEERS_MAX}`,
    flag: '--peers <n>'
  }),
  rounds: setting(z.number().int().positive().max(1000).default(3), {
    description: 'number of rounds',
    accepts: 'an integer from 1 to 1000',
    flag: '--rounds <n>'
  }),
  ranks: setting(z.array(z.coerce.number().int().min(1).max(RANK_MAX)).min(1).default([16, 8, 4, 2]), {
    description: 'LoRA ranks, assigned to the peers in turn',
    accepts: `a list of integers from 1 to ${RANK_MAX}`,
    flag: '--ranks <list>'
  }),
  ...{ steps, batchSize, sequenceLength, learningRate, threads, executor, device },
  dtype: setting(z.enum(SHARD_DTYPES).default('f32'), {
    description: 'element format of shards on the wire',
    accepts: `one of ${SHARD_DTYPES.join(', ')}`,
    flag: '--dtype <dtype>'
  }),
  seed: setting(z.number().int().nonnegative().default(1), {
    description: 'seed of the split into training and held-out text',
    accepts: NON_NEGATIVE_INTEGER,
    flag: '--seed <n>'
  }),
  model: setting(z.string().min(1).optional(), {
    description: 'folder of the base model',
    accepts: 'a path',
    absent: 'the model that Loam ships',
    flag: '--model <folder>'
  }),
  out: setting(z.string().min(1).optional(), {
    description: 'folder for everything the run makes; must be empty or new',
    accepts: 'a path',
    absent: 'a new temporary folder',
    flag: '--out <folder>'
  })
}

/** Checks the settings of a testnet and fills in defaults. */
export const testnetSettingsSchema = z.strictObject(settings)

/** The settings of a testnet, from which the flags of `loam testnet` are made. */
export const TESTNET_SETTINGS: readonly Setting[] = Object.entries<z.ZodType>(settings).map(([key, schema]) =>
  describeSetting(key, schema)
)

/** Default settings of a testnet: under five minutes on two cores. */
export const TESTNET_DEFAULTS = testnetDefaults()

function testnetDefaults() {
  const { dtype: _dtype, ...defaults } = testnetSettingsSchema.parse({})
  return defaults
}

/** Training that takes a second or two, for tests of the network rather than of the model. */
export const SHORT_TRAINING = { ranks: [2, 1], steps: 4, batchSize: 2, sequenceLength: 32 } as const
