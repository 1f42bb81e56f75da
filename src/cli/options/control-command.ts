import type { Command } from 'commander'
import type { ControlClient, StoppedHome } from '../../node/control/index.ts'
import { homeAt } from '../../node/home/home.ts'
import type { OutputOptions } from '../terminal/output.ts'

/** Flags of every command that queries a running daemon. */
export interface ControlFlags extends OutputOptions {
  home: string
}

/** Adds the flags for querying a running daemon to a command. */
export function askingDaemon(command: Command): Command {
  return command
    .requiredOption('--home <folder>', 'home folder of the running peer')
    .option('--json', 'print one JSON object')
}

/** The daemon's control API. @throws {PeerError} when none runs there, saying what to start */
export async function daemonOf({ home }: ControlFlags): Promise<ControlClient> {
  const { connectControl } = await import('../../node/control/client.ts')
  return connectControl(homeAt(home))
}

/** Reads a home from its files if its daemon is not running; undefined if it is, or if the home has no charter. */
export async function stoppedHomeOf({ home }: ControlFlags): Promise<StoppedHome | undefined> {
  const { stoppedHome } = await import('../../node/control/stopped-home.ts')
  return stoppedHome(homeAt(home))
}

/** The reason with which {@link untilInterrupted} aborts on timeout. */
export const OUT_OF_TIME = 'out of time'
/** The longest delay of a Node timer. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** Aborts at the first Ctrl-C or SIGTERM, or after the given minutes. */
export function untilInterrupted(minutes?: number): AbortSignal {
  const stop = new AbortController()
  if (minutes !== undefined)
    setTimeout(() => stop.abort(OUT_OF_TIME), Math.min(60_000 * minutes, TIMER_MS_MAX)).unref()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}
