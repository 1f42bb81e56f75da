import type { Command } from 'commander'
import type { ControlClient } from '../../node/control/index.ts'
import { homeAt } from '../../node/home/home.ts'
import type { OutputOptions } from '../terminal/output.ts'

/** Flags of every command that asks a running daemon. */
export interface ControlFlags extends OutputOptions {
  home: string
}

/** Gives a command the flags of those that ask a running daemon. */
export function askingDaemon(command: Command): Command {
  return command
    .requiredOption('--home <folder>', 'home folder of the running peer')
    .option('--json', 'print one JSON object')
}

/** The daemon's control API. @throws {PeerError} when none runs there, with what to start */
export async function daemonOf({ home }: ControlFlags): Promise<ControlClient> {
  const { connectControl } = await import('../../node/control/client.ts')
  return connectControl(homeAt(home))
}

/** Why {@link untilInterrupted} aborted, where its time was up. */
export const OUT_OF_TIME = 'out of time'
/** The longest that a timer of Node runs. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** Aborts at the first Ctrl-C or SIGTERM, or after some minutes. */
export function untilInterrupted(minutes?: number): AbortSignal {
  const stop = new AbortController()
  if (minutes !== undefined)
    setTimeout(() => stop.abort(OUT_OF_TIME), Math.min(60_000 * minutes, TIMER_MS_MAX)).unref()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}
