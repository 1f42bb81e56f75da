import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { PeerReport } from '../../src/node/home/peer-report.ts'
import { commandFile } from '../../src/package-root.ts'
import type { PreparedPeer } from './prepare-homes.ts'

/** How long a peer may take to stop before it is killed, milliseconds. */
const STOP_MS = 8_000
/** Bytes of a peer's standard error that are kept to report a failure. */
const STANDARD_ERROR_MAX = 8_192

/** A running `loam peer` of a testnet. */
export interface PeerProcess {
  readonly peer: PreparedPeer
  readonly pid: number
  /** Resolves with its exit code or the signal that ended it. */
  readonly exited: Promise<number | string>
  /** The end of what it wrote to standard error. */
  standardError(): string
  /** Asks it to stop; kills it if it does not. */
  stop(): Promise<void>
  /** Ends it without warning, as a crash would. */
  kill(): Promise<void>
}

/** Unusual ways to start a peer. */
export interface PeerProcessOptions {
  /** What to put before the command: `ip netns exec NAME` runs it in a network namespace. */
  readonly prefix?: readonly string[]
  /** More flags of `loam peer`. */
  readonly flags?: readonly string[]
}

/** Starts a peer's daemon as a separate process. */
export function startPeerProcess(
  peer: PreparedPeer,
  bootstrap: readonly string[],
  onReport: (report: PeerReport) => void,
  { prefix = [], flags = [] }: PeerProcessOptions = {}
): PeerProcess {
  const known = bootstrap.length === 0 ? [] : ['--bootstrap', ...bootstrap]
  const peerCommand = ['peer', '--home', peer.home.folder, ...known, ...flags]
  const [command, ...args] = [...prefix, process.execPath, commandFile(), ...peerCommand]
  const child: ChildProcess = spawn(command!, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // A separate process group: Ctrl-C reaches the launcher alone, which stops the peers in order.
    detached: true
  })
  let standardError = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    standardError = (standardError + text).slice(-STANDARD_ERROR_MAX)
  })
  child.on('message', (report) => onReport(report as PeerReport))
  const exited = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number | string)
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await exited
    clearTimeout(killer)
  }
  return {
    peer,
    pid: child.pid!,
    exited,
    standardError: () => standardError,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL')
  }
}
