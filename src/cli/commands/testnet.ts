import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { PEERS_MAX, TESTNET_DEFAULTS } from '../../../scripts/testnet/options.ts'
import { SHARD_DTYPES, type ShardDtype } from '../../adapter/shard/shard.ts'
import {
  deviceOption,
  type ExecutorFlags,
  executorFromFlags,
  executorOption
} from '../options/executor-options.ts'
import { baseModelFolder } from '../options/shipped-model.ts'
import {
  commaSeparated,
  positiveNumber,
  printProgress,
  printResult,
  wholeNumber
} from '../terminal/output.ts'
import { NotFittingError } from '../terminal/usage-error.ts'

interface TestnetFlags extends ExecutorFlags {
  peers: number
  rounds: number
  ranks: number[]
  steps: number
  batchSize: number
  sequenceLength: number
  learningRate: number
  threads: number
  dtype: ShardDtype
  seed: number
  model?: string
  out?: string
  json?: boolean
}

/** `loam testnet`: a whole network on this machine. */
export function testnetCommand(): Command {
  const defaults = TESTNET_DEFAULTS
  return new Command('testnet')
    .description('run a whole network on this machine: real peers, real text, a real model')
    .option('--peers <n>', 'peers, each a process', wholeNumber('--peers', 2, PEERS_MAX), defaults.peers)
    .option('--rounds <n>', 'rounds', wholeNumber('--rounds', 1, 1000), defaults.rounds)
    .option('--ranks <list>', 'LoRA ranks, given to the peers in turn', parseRanks, [...defaults.ranks])
    .option('--steps <n>', 'optimizer steps a round', wholeNumber('--steps', 1), defaults.steps)
    .option('--batch-size <n>', 'rows a step', wholeNumber('--batch-size', 1), defaults.batchSize)
    .option(
      '--sequence-length <n>',
      'tokens a row',
      wholeNumber('--sequence-length', 2),
      defaults.sequenceLength
    )
    .option(
      '--learning-rate <x>',
      'peak learning rate',
      positiveNumber('--learning-rate'),
      defaults.learningRate
    )
    .option('--threads <n>', 'threads of each trainer', wholeNumber('--threads', 1, 256), defaults.threads)
    .addOption(
      new Option('--dtype <dtype>', 'element format in which shards travel')
        .choices(SHARD_DTYPES)
        .default('f32')
    )
    .addOption(executorOption())
    .addOption(deviceOption())
    .option(
      '--seed <n>',
      'seed of the split into training and held-out text',
      wholeNumber('--seed', 0),
      defaults.seed
    )
    .option('--model <folder>', 'base model folder (default: the model that Loam ships)')
    .option('--out <folder>', 'keep everything here; must be empty or new (default: a new temporary folder)')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText(
      'after',
      `
Every peer has its own key, home, LoRA rank and domain of text. Ctrl-C stops them all.

Examples:
  $ loam testnet
  $ loam testnet --peers 7 --rounds 2 --ranks 8,4 --out /tmp/seven
  $ loam testnet --json --out run > run.json`
    )
    .action(runCommand)
}

function parseRanks(text: string): number[] {
  const ranks = commaSeparated(text).map(wholeNumber('--ranks', 1, 1024))
  if (ranks.length === 0) throw new NotFittingError('--ranks needs at least one rank')
  return ranks
}

async function runCommand(flags: TestnetFlags): Promise<void> {
  const { runTestnet } = await import('../../../scripts/testnet/testnet.ts')
  // What cannot compute here is an error now, not one of every peer's.
  await executorFromFlags(flags)
  const { renderReport } = await import('../../../scripts/testnet/report.ts')
  const folder = flags.out === undefined ? await mkdtemp(join(tmpdir(), 'loam-testnet-')) : resolve(flags.out)
  const interrupt = new AbortController()
  const onSignal = () => {
    printProgress('\nstopping every peer ...')
    interrupt.abort(new Error('interrupted'))
  }
  // A listener that stays: with none left, the library that hides the cursor would end this process at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  const options = { ...flags, model: baseModelFolder(flags.model), folder }
  const began = performance.now()
  try {
    const report = await runTestnet(
      options,
      flags.json === true ? process.stderr : process.stdout,
      interrupt.signal
    )
    const seconds = ((performance.now() - began) / 1000).toFixed(0)
    printResult(report, flags, () => `\n${renderReport(report)}\nhomes    ${folder}\ntook     ${seconds} s`)
  } catch (error) {
    printProgress(`the homes are in ${folder}; each has a daemon.log`)
    throw error
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
  }
}
