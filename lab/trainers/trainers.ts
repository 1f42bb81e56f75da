import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { environmentFolder, pythonEnvironment } from '../../checks/trainer/python-environment.ts'
import { TESTNET_DEFAULTS } from '../../scripts/testnet/index.ts'
import { NetworkRun } from '../../scripts/testnet/network-run.ts'
import { addSettings, type PreparedTestnet, prepareTestnet } from '../../scripts/testnet/prepare-homes.ts'
import { trainingSettings } from '../../src/node/config/index.ts'
import type { TrainingJob } from '../../src/node/workers/trainer/training-job.ts'
import { commandFile, packageRoot } from '../../src/package-root.ts'
import { contractOverhead } from './contract-overhead.ts'

interface Options {
  readonly rounds: string
  readonly steps: string
  readonly minutes: string
  readonly json: boolean
}

const MODEL = join(packageRoot(), 'models', 'loam-base-1m')
/** PyTorch starts slowly, especially on a busy machine. */
const TIMEOUTS = { gatherMs: 300_000, graceMs: 60_000, trainMs: 300_000 }

const options = new Command('npm run lab -- trainers')
  .description(
    "A consortium of three members with three trainers: Loam's engine, PyTorch in one process, and PyTorch under torchrun with two."
  )
  .option('--rounds <n>', 'rounds to seal', '3')
  .option('--steps <n>', 'optimizer steps per round', '20')
  .option('--minutes <n>', 'timeout', '30')
  .option('--json', 'print one JSON object at the end, everything else to standard error', false)
  .addHelpText(
    'after',
    `
Requires the Python environment of npm run check -- trainer, and creates it if it
is missing ($LOAM_TRAINER_ENV, or ~/.cache/loam/trainer-env; PyTorch is large).

Examples:
  $ npm run lab -- trainers
  $ npm run lab -- trainers --rounds 5 --json`
  )
  .parse()
  .opts<Options>()

const say = (line: string) => process.stderr.write(`${line}\n`)
const [rounds, steps, minutes] = [options.rounds, options.steps, options.minutes].map(Number)
if (![rounds, steps, minutes].every((value) => Number.isSafeInteger(value) && value! >= 1)) {
  say('error: --rounds, --steps and --minutes must be positive integers')
  process.exit(2)
}
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(minutes! * 60_000)])
const folder = await mkdtemp(join(tmpdir(), 'loam-trainers-'))
try {
  const trainers = await trainerCommands()
  const prepared = await prepareTestnet(
    { ...TESTNET_DEFAULTS, peers: trainers.length, rounds: rounds!, steps: steps!, model: MODEL, folder },
    say,
    { timeouts: TIMEOUTS }
  )
  for (const [index, { command }] of trainers.entries())
    if (command !== undefined) await addSettings([prepared.peers[index]!], { trainer: command })
  const result = { ...(await seal(prepared, trainers)), overhead: await overhead(prepared) }
  if (options.json) console.log(JSON.stringify(result))
  else printTable(result)
  process.exitCode = result.digestsEqual && result.everyMemberInEveryCut ? 0 : 1
} catch (error) {
  say(`error: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  await rm(folder, { recursive: true, force: true })
}

interface TrainerChoice {
  readonly trainer: string
  /** Undefined for the built-in engine. */
  readonly command: string | undefined
}

async function trainerCommands(): Promise<TrainerChoice[]> {
  const source = join(packageRoot(), 'trainers', 'pytorch')
  say(`Python environment: ${environmentFolder()}`)
  const python = await pythonEnvironment({
    folder: environmentFolder(),
    source,
    python: 'python3',
    mayInstall: true,
    installMs: 1_800_000,
    signal
  })
  const environment = `PYTHONPATH=${join(source, 'src')} OMP_NUM_THREADS=1`
  const module = '-m loam_trainer --device cpu'
  return [
    { trainer: "Loam's engine", command: undefined },
    { trainer: 'PyTorch, one process', command: `${environment} exec ${python} ${module}` },
    {
      trainer: 'PyTorch, torchrun with two processes',
      command: `${environment} exec ${python} -m torch.distributed.run --standalone --nproc-per-node 2 ${module}`
    }
  ]
}

async function seal({ peers }: PreparedTestnet, trainers: readonly TrainerChoice[]) {
  const run = new NetworkRun({ peers } as PreparedTestnet, () => undefined, say)
  try {
    await run.start()
    await run.until(() => run.views.every(({ sealed }) => sealed.length >= rounds!), signal)
    const members = run.views.map(({ peer }, index) => ({
      peerId: peer.peerId,
      trainer: trainers[index]!.trainer
    }))
    const all = run.views.map(({ sealed }) => sealed.slice(0, rounds))
    const digests = new Set(all.map((sealed) => JSON.stringify(sealed.map((each) => each.modelDigest))))
    const everyMemberInEveryCut = all[0]!.every(({ cut }) => cut.length === trainers.length)
    return { members, rounds: rounds!, digestsEqual: digests.size === 1, everyMemberInEveryCut }
  } finally {
    await run.stop()
    for (const [index, { peer }] of run.views.entries()) {
      const log = await readFile(peer.home.log, 'utf8').catch(() => '')
      for (const line of log.split('\n').filter((text) => /"level":(?:40|50)/.test(text)))
        say(`peer ${index}: ${line.slice(0, 300)}`)
    }
  }
}

function overhead({ peers }: PreparedTestnet): Promise<number> {
  say('measuring the overhead of the contract')
  const { home } = peers[0]!
  const job: TrainingJob = {
    round: 1,
    baseFolder: MODEL,
    modelFile: undefined,
    documents: home.documents,
    data: { loss: 'completions' },
    keptBack: undefined,
    modules: ['model.layers.0.self_attn.q_proj', 'model.layers.1.mlp.down_proj'],
    rank: 8,
    alpha: 16,
    rankStabilised: false,
    training: trainingSettings.parse({}),
    seed: 1,
    documentSeed: 1,
    firstStep: 0,
    home: home.folder,
    localPath: '',
    dtype: 'f32',
    residualFile: undefined,
    residualPath: ''
  }
  return contractOverhead(job, `exec ${process.execPath} ${commandFile()} trainer --threads 1`)
}

function printTable({
  members,
  digestsEqual,
  everyMemberInEveryCut,
  overhead: share
}: Awaited<ReturnType<typeof seal>> & { overhead: number }): void {
  for (const { peerId, trainer } of members) console.log(`${peerId.slice(-8)}  ${trainer}`)
  console.log(`${rounds} rounds, digests ${digestsEqual ? 'equal' : 'NOT equal'}`)
  console.log(everyMemberInEveryCut ? 'every member in every cut' : 'NOT every member in every cut')
  console.log(`the contract adds ${(100 * share).toFixed(1)} % to a training of 40 steps`)
}
