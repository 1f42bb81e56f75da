import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { messageOf, PeerError } from '../../node/errors.ts'
import { homeAt } from '../../node/home.ts'
import { LOG_LEVELS, type LogLevel } from '../../node/logger.ts'
import type { PeerReport, SealedReport } from '../../node/status.ts'
import type { Log } from '../../node/store/log.ts'
import {
  deviceOption,
  type ExecutorFlags,
  executorOption,
  requireExecutorChoice
} from '../executor-options.ts'
import { EXIT, positiveNumber, printError, printProgress, printResult, wholeNumber } from '../output.ts'
import { baseModelFolder } from '../shipped-model.ts'

interface PeerFlags extends ExecutorFlags {
  home: string
  charter?: string
  model?: string
  data?: string
  rank?: number
  alpha?: number
  steps?: number
  batchSize?: number
  sequenceLength?: number
  learningRate?: number
  threads?: number
  listen?: string[]
  bootstrap?: string[]
  mdns?: boolean
  rounds?: number
  logLevel: LogLevel
  verbose?: boolean
  json?: boolean
}

/** `loam peer`: the daemon. */
export function peerCommand(): Command {
  return new Command('peer')
    .description('run a peer: train, exchange shards, vote and stack with the other members')
    .requiredOption('--home <folder>', "the peer's home folder")
    .option('--charter <file>', "the consortium's charter; needed the first time")
    .option('--model <folder>', 'base model folder (default: the model that Loam ships)')
    .option('--data <file>', 'training documents: JSONL with a "text" a line (default: HOME/documents.jsonl)')
    .option('--rank <n>', 'LoRA rank of this peer', wholeNumber('--rank', 1))
    .option('--alpha <x>', 'LoRA alpha (default: twice the rank)', positiveNumber('--alpha'))
    .option('--steps <n>', 'optimizer steps a round', wholeNumber('--steps', 1))
    .option('--batch-size <n>', 'rows a step', wholeNumber('--batch-size', 1))
    .option('--sequence-length <n>', 'tokens a row', wholeNumber('--sequence-length', 2))
    .option('--learning-rate <x>', 'peak learning rate', positiveNumber('--learning-rate'))
    .option('--threads <n>', 'threads of the trainer', wholeNumber('--threads', 1))
    .addOption(executorOption())
    .addOption(deviceOption())
    .option('--listen <address...>', 'addresses to listen on, as multiaddrs')
    .option('--bootstrap <address...>', 'addresses of members to dial first, each ending in /p2p/PEERID')
    .option('--mdns', 'find members on the local network')
    .option('--no-mdns', 'do not look for members on the local network')
    .option('--rounds <n>', 'last round to train in; afterwards only serve', wholeNumber('--rounds', 1))
    .addOption(
      new Option('--log-level <level>', 'lowest level in HOME/daemon.log').choices(LOG_LEVELS).default('info')
    )
    .option('--verbose', 'write the log to standard error too')
    .option('--json', 'print one JSON object with the sealed rounds when the peer stops')
    .addHelpText(
      'after',
      `
Settings come from HOME/peer.json; flags go over them. Stop it with Ctrl-C or SIGTERM.

Examples:
  $ loam peer --home ~/.loam --charter charter.cbor --data notes.jsonl --rank 8
  $ loam peer --home ~/.loam --bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW...`
    )
    .action(runPeer)
}

async function runPeer(flags: PeerFlags): Promise<void> {
  const { loadPeerConfig } = await import('../../node/peer-config.ts')
  const { createHomeFolders } = await import('../../node/home.ts')
  const { adoptCharter } = await import('../../node/charter-file.ts')
  const { createLogger } = await import('../../node/logger.ts')
  const { startPeer } = await import('../../node/peer.ts')
  requireExecutorChoice(flags)
  const home = homeAt(flags.home)
  const stopped = stopSignal()
  await createHomeFolders(home)
  if (flags.charter !== undefined) await adoptCharter(home, flags.charter)
  const config = await loadPeerConfig(home, overridesOf(flags), {
    model: baseModelFolder(),
    documents: home.documents
  })
  if (!existsSync(home.charter))
    throw new PeerError(`${home.folder} has no charter yet: give the consortium's with --charter FILE`)
  const log = createLogger(home.log, flags.logLevel, flags.verbose === true)
  surviveStrayErrors(log)
  const sealed: SealedReport[] = []
  let halted = false
  const report = (said: PeerReport) => {
    if (said.type === 'sealed') sealed.push(said)
    if (said.type === 'halted') halted = true
    // The channel may close at any moment: whoever watches is gone, and `disconnect` follows.
    if (process.send !== undefined && process.connected)
      process.send(said, undefined, undefined, () => undefined)
    else sayToPeople(said)
  }
  const peer = await startPeer({ home, config, log, report })
  await stopped
  await peer.stop()
  printResult(
    { peerId: peer.peerId, halted, rounds: sealed },
    flags,
    () => `stopped; ${sealed.length} round(s) sealed in this run`
  )
  process.exit(halted ? EXIT.failed : EXIT.done)
}

function overridesOf(flags: PeerFlags): Record<string, unknown> {
  const { model, data, rank, alpha, listen, bootstrap, mdns, rounds } = flags
  const { steps, batchSize, sequenceLength, learningRate, threads, executor, device } = flags
  return {
    model: model === undefined ? undefined : baseModelFolder(model),
    documents: data === undefined ? undefined : resolve(data),
    rank,
    alpha,
    listen,
    bootstrap,
    mdns,
    rounds,
    training: { steps, batchSize, sequenceLength, learningRate, threads, executor, device }
  }
}

/**
 * Resolves at the first signal to stop, or when the process that started this one is gone. The second signal ends the
 * process at once, as a crash would: all that was signed is on the disk.
 */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = () => {
      if (asked) {
        printProgress('ended at once; nothing that was signed is lost')
        process.exit(EXIT.failed)
      }
      asked = true
      resolve()
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
    process.once('disconnect', () => resolve())
    // Listening alone must not keep a process alive that could not start.
    process.channel?.unref()
  })
}

/**
 * A rejection that nobody waits for is logged, and the peer goes on: what others rely on is in the log before it is sent.
 * After an exception that nobody caught the state is unknown: the process says so and ends, and a supervisor restarts it.
 */
export function surviveStrayErrors(log: Log): void {
  process.on('unhandledRejection', (reason) => {
    log.error({ error: messageOf(reason), stack: stackOf(reason) }, 'a rejection was not handled')
  })
  process.on('uncaughtException', (error) => {
    log.error(
      { error: messageOf(error), stack: stackOf(error) },
      'the peer ends: an exception was not caught'
    )
    printError(error)
    process.exit(EXIT.failed)
  })
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined
}

function sayToPeople(said: PeerReport): void {
  switch (said.type) {
    case 'listening':
      printProgress(
        `${said.peerId} listens on\n${said.addresses.map((address) => `  ${address}`).join('\n')}`
      )
      break
    case 'progress':
      if (said.phase === 'training' && said.step > 0 && (said.step % 10 === 0 || said.step === said.steps))
        printProgress(
          `round ${said.round}: step ${said.step}/${said.steps}, loss ${said.loss?.toFixed(3)}, ${said.connected} connected`
        )
      break
    case 'sealed':
      printProgress(
        `round ${said.round} is sealed: ${said.cut.length} member(s), stack ${said.stackDigest?.slice(0, 16) ?? 'none (void)'}, model ${said.modelDigest.slice(0, 16)}`
      )
      break
    case 'halted':
      printProgress(`halted: ${said.reason}`)
      break
  }
}
