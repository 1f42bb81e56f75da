import { Command, InvalidArgumentError, Option } from 'commander'
import type { Clip } from '../../../adapter/index.ts'
import { SHARD_DTYPES, type ShardDtype } from '../../../adapter/shard/shard.ts'
import { CHARTER_DEFAULTS } from '../../../node/consortium/charter-defaults.ts'
import { commaSeparated, integer, positiveNumber } from '../../options/parsers.ts'
import { memberWeightsOption, type WeightsOption } from './member-weights.ts'

/** Flags of `loam consortium create`. */
export interface CreateOptions {
  home: string
  name: string
  member: string[]
  model?: string
  modules: string[]
  minShards?: number
  trainers?: number
  committee?: number
  assumedFaulty: number
  epsilon: number
  committeeRounds: number
  maxRank?: number
  maxNorm?: number
  heldOutVeto?: number | false
  weights?: WeightsOption
  clip: Clip
  dtype: ShardDtype
  trainSeconds?: number
  gatherSeconds?: number
  retain?: number
  out: string
  json?: boolean
}

/** `loam consortium create`: draws up a charter. */
export function createCommand(): Command {
  const command = new Command('create')
    .description('draw up and sign a charter')
    .requiredOption('--home <folder>', "the founder's home folder; its identity signs the charter")
    .requiredOption('--name <text>', 'name of the consortium')
    .option('--member <card>', 'member card (loam identity --json); once for each member', collect, [])
    .option('--model <folder>', 'folder of the base model (default: the model that Loam ships)')
    .option('--modules <names>', 'modules to adapt, by name or ending', commaSeparated, ['q_proj', 'v_proj'])
    .option(
      '--min-shards <n>',
      'minimum number of shards in a round (default: one more than the trainers that may be faulty)',
      integer('--min-shards', 1)
    )
  addUpdateOptions(addVotingOptions(command))
  return command
    .requiredOption('--out <file>', 'charter file to write')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The founder is a member as well; its own card is not needed.

Example:
  $ loam consortium create --home ~/.loam --name weather --member a.json \\
      --member b.json --out charter.cbor`
    )
    .action(async (options: CreateOptions) => {
      const { runCreate } = await import('./run-create.ts')
      await runCreate(options)
    })
}

/** Flags for who trains, who votes, and how long a round may take. */
function addVotingOptions(command: Command): Command {
  return command
    .option(
      '--trainers <n>',
      'members that train in a round, drawn for each round (default: all)',
      integer('--trainers', 1)
    )
    .option(
      '--committee <n>',
      'members that vote, drawn for each round (default: all)',
      integer('--committee', 1)
    )
    .option('--assumed-faulty <x>', 'fraction of members that a committee assumes faulty', fraction, 0.1)
    .option('--epsilon <x>', 'maximum probability of a bad committee over all rounds', fraction, 1e-6)
    .option(
      '--committee-rounds <n>',
      'number of rounds that epsilon covers',
      integer('--committee-rounds', 1),
      1000
    )
    .option(
      '--train-seconds <n>',
      `maximum training time of a round (default: ${CHARTER_DEFAULTS.timeouts.trainMs / 1000})`,
      integer('--train-seconds', 1)
    )
    .option(
      '--gather-seconds <n>',
      `maximum time to wait for others' shards afterwards (default: ${CHARTER_DEFAULTS.timeouts.gatherMs / 1000})`,
      integer('--gather-seconds', 1)
    )
    .option(
      '--retain <n>',
      `rounds for which the blocks of a sealed round are served (default: ${CHARTER_DEFAULTS.retain})`,
      integer('--retain', 1)
    )
}

/** Flags for what updates may be, and how they are weighted. */
function addUpdateOptions(command: Command): Command {
  return command
    .option(
      '--max-rank <n>',
      `maximum LoRA rank of a member (default: ${CHARTER_DEFAULTS.maximumRank})`,
      integer('--max-rank', 1)
    )
    .option(
      '--max-norm <x>',
      "maximum norm of a module's first update (default: the norm of the median base weight)",
      positiveNumber('--max-norm')
    )
    .option(
      '--held-out-veto <margin>',
      `members refuse an update that raises the loss on their own held-out text by more than this many nats per token; none: they only log it (default: ${CHARTER_DEFAULTS.heldOutMargin})`,
      heldOutVetoOption
    )
    .option(
      '--weights <how>',
      "weights of members' updates: tokens (the training targets that they report, capped), documents, uniform, or PEERID=N,PEERID=N with 1 for members not named (default: tokens)",
      memberWeightsOption
    )
    .addOption(
      new Option(
        '--clip <how>',
        "clip every member's update to the median norm of the round's updates, so that one member cannot outweigh the rest: median or none"
      )
        .choices(['median', 'none'])
        .default('median')
    )
    .addOption(
      new Option('--dtype <dtype>', 'element format of shards on the wire')
        .choices(SHARD_DTYPES)
        .default('f32')
    )
}

function fraction(value: string): number {
  const number = Number(value)
  if (value.trim() === '' || !(number >= 0 && number <= 1))
    throw new InvalidArgumentError('must be a number from 0 to 1')
  return number
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

/** @throws {UsageError} */
function heldOutVetoOption(text: string): number | false {
  return text === 'none' ? false : positiveNumber('--held-out-veto')(text)
}
