import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { Command } from 'commander'
import type { SettingValues } from '../../../node/config/index.ts'
import { homeAt } from '../../../node/home/home.ts'
import type { CopyReport, PeerReport, SealedReport } from '../../../node/home/peer-report.ts'
import { PeerError } from '../../../node/storage/peer-error.ts'
import { type ExecutorFlags, requireExecutorChoice } from '../../options/executor-options.ts'
import { addSettingFlags, settingDefaults, settingsOfFlags } from '../../options/setting-flags.ts'
import { EXIT, printError, printProgress, printResult } from '../../terminal/output.ts'
import { sayBaseProgress, verdictText } from '../base/base-progress-text.ts'
import { stopSignal, surviveStrayErrors } from './daemon-process.ts'

interface PeerFlags extends ExecutorFlags {
  home: string
  charter?: string
  verbose?: boolean
  json?: boolean
}

/** `loam peer`: the daemon. */
export function peerCommand(): Command {
  const command = new Command('peer')
    .requiredOption('--home <folder>', "the peer's home folder")
    .option('--charter <file>', "the consortium's charter; needed the first time")
  return addSettingFlags(command)
    .option('--verbose', 'write the log to standard error too')
    .option('--json', 'print one JSON object with the sealed rounds when the peer stops')
    .addHelpText(
      'after',
      `
Without --model, a peer uses the model that Loam ships if the charter names it;
otherwise it fetches the charter's from members into HOME/base.

Settings come from HOME/peer.json; flags override it (loam config print shows
the result). Stop the peer with Ctrl-C or SIGTERM.

Examples:
  $ loam peer --home ~/.loam --charter charter.cbor --data notes.jsonl --rank 8
  $ loam peer --home ~/.loam --bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW...
  $ loam peer --home ~/.loam --log-level debug --set log.keepFiles=9`
    )
    .action((flags: PeerFlags) => runPeer(flags, settingsOfFlags(command, { ...flags })))
}

async function runPeer(flags: PeerFlags, settings: SettingValues): Promise<void> {
  const { effectiveSettings } = await import('../../../node/config/index.ts')
  const { createHomeFolders } = await import('../../../node/home/home.ts')
  const { adoptCharter } = await import('../../../node/home/charter-file.ts')
  const { createLogs } = await import('../../../node/log/logs.ts')
  const { parseLogLevels } = await import('../../../node/log/levels.ts')
  requireExecutorChoice(flags)
  const home = homeAt(flags.home)
  const stopped = stopSignal()
  await createHomeFolders(home)
  if (flags.charter !== undefined) await adoptCharter(home, flags.charter)
  const { config, sources } = await effectiveSettings(home, {
    flags: settings,
    defaults: settingDefaults(flags.home)
  })
  if (!existsSync(home.charter))
    throw new PeerError(`${home.folder} has no charter yet: pass the consortium's with --charter FILE`)
  const logs = createLogs({
    path: home.log,
    levels: parseLogLevels(config.log.level)!,
    toStandardError: flags.verbose === true,
    ...config.log
  })
  const log = logs.of('peer')
  surviveStrayErrors(log)
  const sealed: SealedReport[] = []
  let halted = false
  let copied: string | undefined
  const stopping = new AbortController()
  const report = (said: PeerReport) => {
    if (said.type === 'sealed') sealed.push(said)
    if (said.type === 'copied' && said.stops !== undefined) {
      copied = said.stops
      stopping.abort()
    }
    if (said.type === 'halted') halted = true
    // The channel may close at any moment, when the parent is gone; `disconnect` follows.
    if (process.send !== undefined && process.connected)
      process.send(said, undefined, undefined, () => undefined)
    else sayToPeople(said)
  }
  void stopped.then(() => stopping.abort())
  const fetchBase =
    sources.get('model') === 'default' ? { progress: sayBaseProgress(), signal: stopping.signal } : undefined
  // Loaded last: it takes most of a second, for which an error in flags or settings need not wait.
  const { startPeer } = await import('../../../node/peer.ts')
  const peer = await startPeer({ home, config, logs, report, fetchBase, ownsProcess: true }).catch(
    (error: unknown) => {
      if (!stopping.signal.aborted || error instanceof PeerError) throw error
      printResult(
        { peerId: null, halted, rounds: sealed },
        flags,
        () => 'stopped while starting; the fetched part of the base model is kept'
      )
      process.exit(EXIT.done)
    }
  )
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
  await peer.stop()
  printResult(
    { peerId: peer.peerId, halted, rounds: sealed },
    flags,
    () => `stopped; ${sealed.length} round(s) sealed in this run`
  )
  if (copied !== undefined) printError(new PeerError(copied))
  process.exit(halted || copied !== undefined ? EXIT.failed : EXIT.done)
}

function copyText({ peerId, isOwn }: CopyReport): string {
  if (isOwn)
    return 'another copy of this peer is running, so this one stops; find the other copy and remove it'
  return `two copies of ${peerId} are running: its operator has to stop one of them`
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
    case 'bootstrap':
      printProgress(verdictText(said))
      break
    case 'incompatible':
      printProgress(`${said.peerId}: ${said.reason}`)
      break
    case 'halted':
      printProgress(`halted: ${said.reason}`)
      break
    case 'copied':
      if (said.stops === undefined) printProgress(copyText(said))
      break
    case 'contradicted':
      printProgress(
        `round ${said.round}: a message signed with this peer's key is not in its log: it signs nothing until it knows what was signed`
      )
      break
  }
}
