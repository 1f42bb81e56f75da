import type { Command } from 'commander'
import type { ControlClient } from '../node/control/index.ts'
import { homeAt } from '../node/home.ts'
import type { OutputOptions } from './output.ts'

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
  const { connectControl } = await import('../node/control/index.ts')
  return connectControl(homeAt(home))
}

/** Aborts at the first Ctrl-C or SIGTERM. */
export function untilInterrupted(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}
