import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import type { BaseProgress } from '../../node/base/base-progress.ts'
import type { ControlClient, StatusView, StoppedView } from '../../node/control/index.ts'
import { homeAt } from '../../node/home/home.ts'
import {
  askingDaemon,
  type ControlFlags,
  daemonOf,
  stoppedHomeOf,
  untilInterrupted
} from '../options/control-command.ts'
import { EXIT, printResult } from '../terminal/output.ts'
import { sizeText, timeText } from '../terminal/table.ts'

interface StatusFlags extends ControlFlags {
  watch?: boolean
}

/** Interval of `--watch`, milliseconds. */
const WATCH_MS = 1_000

/** `loam status`: what a running peer is doing. */
export function statusCommand(): Command {
  return askingDaemon(new Command('status'))
    .option('--watch', 'update every second until Ctrl-C')
    .addHelpText(
      'after',
      `
While the peer fetches its base model, the progress is shown; of a peer that
does not run, the last sealed round. The exit code is 0
if the peer is ready (in a round, connected to a quorum, not behind), otherwise
1. With --watch and --json, each update is one line.

Examples:
  $ loam status --home ~/.loam
  $ loam status --home ~/.loam --watch`
    )
    .action(runStatus)
}

async function runStatus(flags: StatusFlags): Promise<void> {
  let daemon: ControlClient | undefined
  const look = async (): Promise<StatusView | StartingView | StoppedView> => {
    if (daemon === undefined) {
      const stopped = await stoppedHomeOf(flags)
      if (stopped !== undefined) return stopped.status()
    }
    const starting = daemon === undefined ? await startingView(flags.home) : undefined
    if (starting !== undefined) return starting
    daemon ??= await daemonOf(flags)
    return daemon.get<StatusView>('/v1/status')
  }
  const textOf = (status: StatusView | StartingView | StoppedView) => {
    if (status.phase === 'stopped') return stoppedText(status)
    return status.phase === 'fetching-base' ? startingText(status) : statusText(status)
  }
  if (flags.watch !== true) {
    const status = await look()
    printResult(status, flags, () => textOf(status))
    process.exitCode = status.ready ? EXIT.done : EXIT.failed
    return
  }
  const { createLogUpdate } = await import('log-update')
  const screen = createLogUpdate(process.stdout)
  const stopped = untilInterrupted()
  while (!stopped.aborted) {
    const status = await look()
    if (flags.json === true) printResult(status, flags, () => '')
    else screen(textOf(status))
    await sleep(WATCH_MS, undefined, { signal: stopped }).catch(() => undefined)
  }
  screen.done()
}

/** What `loam status` shows of a peer that is still fetching its base model and can report nothing else. */
export interface StartingView {
  readonly ready: false
  readonly reasons: readonly string[]
  readonly phase: 'fetching-base'
  readonly home: string
  readonly pid: number
  /** Bytes fetched so far and in total; connected members, and those that have the whole model. */
  readonly base: BaseProgress
}

async function startingView(folder: string): Promise<StartingView | undefined> {
  const { readBaseProgress } = await import('../../node/base/base-progress.ts')
  const home = homeAt(folder)
  const progress = await readBaseProgress(home)
  if (progress === undefined) return undefined
  const { pid, ...base } = progress
  const reasons = ['the base model is being fetched from members']
  return { ready: false, reasons, phase: 'fetching-base', home: home.folder, pid, base }
}

/** As {@link statusText}, for a peer that is starting. */
export function startingText({ reasons, home, pid, base }: StartingView): string {
  const { done, total, connected, providers } = base
  const from = providers === 0 ? 'no connected member has it' : `from ${providers} members`
  const lines = [
    ['ready', `no: ${reasons[0]}`],
    ['base model', `${sizeText(done)} of ${sizeText(total)}, ${from}`],
    ['connected', `${connected} members`],
    ['process', String(pid)],
    ['home', home]
  ]
  return lines.map(([name, value]) => `${name!.padEnd(11)}  ${value}`).join('\n')
}

/** As {@link statusText}, for a peer that does not run. */
export function stoppedText({ reasons, home, lastSealed }: StoppedView): string {
  const lines = [
    ['ready', `no: ${reasons[0]}`],
    ['last sealed', lastSealed === null ? 'none' : lastSealedText(lastSealed)],
    ['home', home]
  ]
  return lines.map(([name, value]) => `${name!.padEnd(11)}  ${value}`).join('\n')
}

/** A status in lines of at most 80 columns, except for paths and addresses. */
export function statusText(status: StatusView): string {
  const { consortium, lastSealed, addresses, reasons } = status
  const training =
    status.phase === 'training' && status.steps > 0
      ? `, step ${status.step}/${status.steps}${lossText(status)}`
      : ''
  const view = status.view >= 0 ? `, view ${status.view}` : ''
  const lines: [string, string][] = [
    ['peer', status.peerId],
    ['consortium', `${consortium.name} (${consortium.id})`],
    ['member', status.member === null ? 'no: it only watches' : `${status.member} of ${status.members}`],
    ['ready', status.ready ? 'yes' : `no: ${reasons[0]}`],
    ...reasons.slice(1).map((reason): [string, string] => ['', reason]),
    ['round', `${status.round}, ${status.phase}${training}${view}`],
    ['shards', `${status.shardsHeld} of ${status.shardsKnown} held`],
    [
      'connected',
      `${status.connectedMembers} of ${status.members - 1} other members; quorum ${status.quorum}`
    ],
    ...status.copies.map(({ peerId, secondsAgo }): [string, string] => [
      'two copies',
      `of ${peerId === status.peerId ? 'this peer' : peerId} were running ${secondsAgo} s ago`
    ]),
    ['last sealed', lastSealed === null ? 'none' : lastSealedText(lastSealed)],
    [
      'up',
      `${timeText(status.uptimeSeconds)}, ${sizeText(status.memoryBytes)} of memory, process ${status.pid}`
    ],
    ['version', `loam ${status.version}, Node ${status.node.replace('v', '')}`],
    ['home', status.home],
    ...addresses.map((address, index): [string, string] => [index === 0 ? 'addresses' : '', address])
  ]
  return lines.map(([name, value]) => `${name.padEnd(11)}  ${value}`).join('\n')
}

function lossText({ loss }: StatusView): string {
  return loss === null ? '' : `, loss ${loss.toFixed(3)}`
}

function lastSealedText({
  round,
  cut,
  stackDigest,
  modelDigest
}: NonNullable<StatusView['lastSealed']>): string {
  const outcome = stackDigest === null ? 'void' : `${cut.length} members stacked`
  return `round ${round}, ${outcome}, model ${modelDigest.slice(0, 16)}`
}
