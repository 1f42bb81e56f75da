import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { SHARD_DTYPES, type ShardDtype } from '../../../adapter/shard/shard.ts'
import { CHARTER_DEFAULTS } from '../../../node/consortium/charter-defaults.ts'
import { homeAt } from '../../../node/home/home.ts'
import type { MemberCard } from '../../../node/home/identity.ts'
import { baseModelFolder } from '../../options/shipped-model.ts'
import { commaSeparated, positiveNumber, printResult, wholeNumber } from '../../terminal/output.ts'
import { memberWeightsOption, type WeightsOption } from './member-weights.ts'

interface CreateOptions {
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
  heldOutVeto?: number
  weights?: WeightsOption
  dtype: ShardDtype
  trainSeconds?: number
  gatherSeconds?: number
  retain?: number
  out: string
  json?: boolean
}

/** `loam consortium`: make and read charters. */
export function consortiumCommand(): Command {
  return new Command('consortium')
    .description('make or read the charter of a consortium')
    .addCommand(createCommand())
    .addCommand(inspectCommand())
}

function createCommand(): Command {
  return new Command('create')
    .description('draw up and sign a charter')
    .requiredOption('--home <folder>', "the founder's home folder; its identity signs")
    .requiredOption('--name <text>', "the consortium's name")
    .option('--member <card>', 'a member card (loam identity --json), once for each member', collect, [])
    .option('--model <folder>', 'base model folder (default: the model that Loam ships)')
    .option('--modules <names>', 'modules to adapt, by name or ending', commaSeparated, ['q_proj', 'v_proj'])
    .option(
      '--min-shards <n>',
      'fewest shards that a round stacks (default: one more than the trainers that may be faulty)',
      wholeNumber('--min-shards', 1)
    )
    .option(
      '--trainers <n>',
      'members that train in a round, drawn anew each time',
      wholeNumber('--trainers', 1)
    )
    .option('--committee <n>', 'members that vote, drawn anew each round', wholeNumber('--committee', 1))
    .option('--assumed-faulty <x>', 'fraction of members a committee assumes faulty', fraction, 0.1)
    .option('--epsilon <x>', 'largest probability of a bad committee, over all rounds', fraction, 1e-6)
    .option(
      '--committee-rounds <n>',
      'rounds that the epsilon is for',
      wholeNumber('--committee-rounds', 1),
      1000
    )
    .option(
      '--max-rank <n>',
      `largest LoRA rank of a member (default: ${CHARTER_DEFAULTS.maximumRank})`,
      wholeNumber('--max-rank', 1)
    )
    .option(
      '--max-norm <x>',
      "largest norm of a module's first update (default: the norm of the median base weight)",
      positiveNumber('--max-norm')
    )
    .option(
      '--held-out-veto <margin>',
      'members refuse an update that raises the loss on their own held-out text by more than so many nats per token (default: they only log it)',
      positiveNumber('--held-out-veto')
    )
    .option(
      '--weights <how>',
      "what members' updates count: samples (the documents that they say they trained on, capped), uniform, or PEERID=N,PEERID=N, and 1 for who is not named (default: samples)",
      memberWeightsOption
    )
    .addOption(
      new Option('--dtype <dtype>', 'element format in which shards travel')
        .choices(SHARD_DTYPES)
        .default('f32')
    )
    .option(
      '--train-seconds <n>',
      `longest training of a round (default: ${CHARTER_DEFAULTS.timeouts.trainMs / 1000})`,
      wholeNumber('--train-seconds', 1)
    )
    .option(
      '--gather-seconds <n>',
      `longest wait for the others after it (default: ${CHARTER_DEFAULTS.timeouts.gatherMs / 1000})`,
      wholeNumber('--gather-seconds', 1)
    )
    .option(
      '--retain <n>',
      `rounds after its seal during which the blocks of a round are served (default: ${CHARTER_DEFAULTS.retain})`,
      wholeNumber('--retain', 1)
    )
    .requiredOption('--out <file>', 'where the charter goes')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The founder is a member too; its own card need not be given.

Example:
  $ loam consortium create --home ~/.loam --name weather --member a.json --member b.json \\
      --out charter.cbor`
    )
    .action(create)
}

function fraction(value: string): number {
  const number = Number(value)
  if (value.trim() === '' || !(number >= 0 && number <= 1))
    throw new InvalidArgumentError('a number from 0 to 1 is needed')
  return number
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

async function create(options: CreateOptions): Promise<void> {
  const { baseNorm } = await import('../../../node/consortium/base-norm.ts')
  const { createCharter } = await import('../../../node/consortium/create-charter.ts')
  const { loadOrCreateIdentity, memberCard } = await import('../../../node/home/identity.ts')
  const { createHomeFolders } = await import('../../../node/home/home.ts')
  const { loadBaseModel } = await import('../../../model/index.ts')
  const { writeFileAtomic } = await import('../../../node/storage/index.ts')
  const protocol = await import('../../../protocol/index.ts')
  const home = homeAt(options.home)
  requireNewFile(options.out)
  const given = await readCards(options.member)
  await createHomeFolders(home)
  const identity = await loadOrCreateIdentity(home.identity)
  const own = memberCard(identity)
  const others = given.filter(({ peerId }) => peerId !== own.peerId)
  if (given.some(({ peerId, anchor }) => peerId === own.peerId && anchor !== own.anchor))
    throw new Error(`the card of ${own.peerId} is not the one of ${home.identity}: leave it out`)
  const milliseconds = { trainMs: options.trainSeconds, gatherMs: options.gatherSeconds }
  const timeouts = Object.entries(milliseconds).filter(([, seconds]) => seconds !== undefined)
  const base = loadBaseModel(baseModelFolder(options.model))
  const charter = await createCharter({
    name: options.name,
    members: [own, ...others],
    base,
    targetModules: options.modules,
    maximumNorm: options.maxNorm ?? baseNorm(base, options.modules),
    dtype: options.dtype,
    timeouts: Object.fromEntries(timeouts.map(([name, seconds]) => [name, seconds! * 1000])),
    ...(options.minShards === undefined ? {} : { minShards: options.minShards }),
    ...(options.trainers === undefined ? {} : { trainers: options.trainers }),
    ...(options.committee === undefined ? {} : { committee: committeeTerms(options, options.committee) }),
    ...(options.maxRank === undefined ? {} : { maximumRank: options.maxRank }),
    ...(options.heldOutVeto === undefined ? {} : { heldOutMargin: options.heldOutVeto }),
    ...(options.weights === undefined ? {} : { weights: options.weights }),
    ...(options.retain === undefined ? {} : { retain: options.retain })
  })
  await writeFileAtomic(options.out, protocol.encodeCharter(charter, [identity.signer]))
  const summary = await summarise(options.out)
  printResult(summary, options, () => describe(summary))
}

function committeeTerms({ assumedFaulty, epsilon, committeeRounds }: CreateOptions, size: number) {
  return { size, assumedFaulty, epsilon, rounds: committeeRounds }
}

/** A charter that was given out must not be replaced by another of the same name. */
function requireNewFile(path: string): void {
  if (existsSync(path)) throw new Error(`${path} is there already: choose another name with --out`)
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new Error(`the folder ${folder} for --out is not there: make it first`)
}

/** Member cards from their files; each member once. */
async function readCards(paths: readonly string[]): Promise<MemberCard[]> {
  const { memberCardSchema } = await import('../../../node/home/identity.ts')
  const pathOf = new Map<string, string>()
  const cards: MemberCard[] = []
  for (const path of paths) {
    let card: MemberCard
    try {
      card = memberCardSchema.parse(JSON.parse(await readFile(path, 'utf8')))
    } catch (error) {
      if (!existsSync(path)) throw new Error(`there is no member card ${path}`)
      throw new Error(`${path} is no member card: make one with loam identity --json`, { cause: error })
    }
    const before = pathOf.get(card.peerId)
    if (before !== undefined)
      throw new Error(`${path} is the card of ${card.peerId}, as ${before} is: give every member's card once`)
    pathOf.set(card.peerId, path)
    cards.push(card)
  }
  return cards
}

function inspectCommand(): Command {
  return new Command('inspect')
    .description('check a charter and show its terms')
    .argument('<charter>', 'charter file')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ loam consortium inspect charter.cbor')
    .action(async (path: string, options: { json?: boolean }) => {
      const summary = await summarise(path)
      printResult(summary, options, () => describe(summary))
    })
}

type Summary = Awaited<ReturnType<typeof summarise>>

async function summarise(path: string) {
  const { readCharter } = await import('../../../node/home/charter-file.ts')
  const { peerIdText } = await import('../../../node/storage/peer-id-text.ts')
  const {
    baseDigest,
    committeeFailure,
    consortiumCid,
    describeCommittee,
    describeResilience,
    hex,
    maximumFaulty,
    quorumSize
  } = await import('../../../protocol/index.ts')
  const { charter, id, signatures } = await readCharter(path)
  const { committee } = charter
  const all = charter.members.length
  const count = Math.min(committee?.size ?? all, all)
  const trainers = charter.trainers === 0 ? all : charter.trainers
  return {
    path,
    id: consortiumCid(id),
    name: charter.name,
    members: charter.members.map(({ peer }) => peerIdText(peer)),
    signedBy: signatures.map(({ peer }) => peerIdText(peer)),
    quorum: quorumSize(count),
    faulty: maximumFaulty(count),
    resilience: describeResilience(count),
    trainers,
    committee:
      committee === null ? null : { ...committee, failureProbability: committeeFailure(all, committee) },
    committeePromise: committee === null ? null : describeCommittee(all, committee),
    minShardsAdvice:
      charter.minShards > maximumFaulty(trainers)
        ? null
        : `minShards ${charter.minShards} lets ${maximumFaulty(trainers)} faulty trainers fill a round alone: ${maximumFaulty(trainers) + 1} is the least that does not`,
    heldOutVeto: charter.heldOutVeto === false ? null : charter.heldOutVeto,
    heldOutAdvice:
      charter.heldOutVeto === false
        ? null
        : `held-out veto at ${charter.heldOutVeto.margin} nats: what fewer than ${quorumSize(count)} members find harmless is left out, and a round with fewer than ${charter.minShards} shards left is void; where members' texts differ much, take a wide margin`,
    rule: charter.rule,
    weights: summariseWeights(charter.weights, peerIdText),
    dtype: charter.dtype,
    minShards: charter.minShards,
    rank: charter.rank,
    modules: charter.base.modules.map(({ module }) => module),
    base: {
      digest: hex(baseDigest(charter.base.files)),
      files: charter.base.files.map(({ path, bytes, blocks }) => ({ path, bytes, blocks: hex(blocks) })),
      modelDigest: hex(charter.base.modelDigest)
    },
    timeouts: charter.timeouts
  }
}

type Weights = 'samples' | 'uniform' | Record<string, number>

function summariseWeights(
  weights: 'uniform' | { peer: Uint8Array; weight: number }[] | undefined,
  peerIdText: (peer: Uint8Array) => string
): Weights {
  if (!Array.isArray(weights)) return weights ?? 'samples'
  return Object.fromEntries(weights.map(({ peer, weight }) => [peerIdText(peer), weight]))
}

function describeWeights(weights: Weights): string {
  if (weights === 'uniform') return 'all the same'
  if (weights === 'samples') return 'by samples'
  return `fixed for ${Object.keys(weights).length} member(s) and 1 for others`
}

function describe(summary: Summary): string {
  return [
    `consortium  ${summary.name}`,
    `id          ${summary.id}`,
    `members     ${summary.members.length}, ${summary.quorum} must agree`,
    ...summary.members.map(
      (member) => `            ${member}${summary.signedBy.includes(member) ? '  (signed)' : ''}`
    ),
    `            ${summary.resilience}`,
    ...(summary.committeePromise === null ? [] : [`            ${summary.committeePromise}`]),
    `trainers    ${summary.trainers} a round`,
    `rule        ${summary.rule}, weights ${describeWeights(summary.weights)}, at least ${summary.minShards} shard(s), rank ${summary.rank.min} to ${summary.rank.max}, sent as ${summary.dtype}`,
    ...(summary.minShardsAdvice === null ? [] : [`            ${summary.minShardsAdvice}`]),
    ...(summary.heldOutAdvice === null ? [] : [`            ${summary.heldOutAdvice}`]),
    `modules     ${summary.modules.length}, ${summary.modules[0]} …`,
    `base        ${summary.base.digest}`,
    ...summary.base.files.map(({ path, bytes }) => `            ${path}, ${bytes} bytes`),
    `times       training ${summary.timeouts.trainMs / 1000} s, gathering ${summary.timeouts.gatherMs / 1000} s`,
    `file        ${summary.path}`
  ].join('\n')
}
