import { Command } from 'commander'
import type { RoundView } from '../../node/control/index.ts'
import { askingDaemon, type ControlFlags, daemonOf, stoppedHomeOf } from '../options/control-command.ts'
import { integer } from '../options/parsers.ts'
import { printResult } from '../terminal/output.ts'
import { sizeText, table } from '../terminal/table.ts'

interface RoundsFlags extends ControlFlags {
  limit: number
  before?: number
}

/** `loam rounds`: lists sealed rounds. */
export function roundsCommand(): Command {
  return askingDaemon(new Command('rounds'))
    .option('--limit <n>', 'number of rounds', integer('--limit', 1, 1_000), 20)
    .option('--before <round>', 'only those before this round', integer('--before', 1))
    .addHelpText(
      'after',
      `
Times are seconds in each phase, known only for rounds sealed since this peer
was started. A peer that does not run is read from its files. Digests are abbreviated: loam verify and the other members show
the same ones in full.

Examples:
  $ loam rounds --home ~/.loam
  $ loam rounds --home ~/.loam --limit 5 --json`
    )
    .action(runRounds)
}

async function runRounds(flags: RoundsFlags): Promise<void> {
  const result = { rounds: await roundsOf(flags) }
  printResult(result, flags, () =>
    result.rounds.length === 0 ? 'no round is sealed yet' : roundsText(result.rounds)
  )
}

async function roundsOf(flags: RoundsFlags): Promise<RoundView[]> {
  const { limit, before } = flags
  const stopped = await stoppedHomeOf(flags)
  if (stopped !== undefined) return stopped.rounds(limit, before)
  const daemon = await daemonOf(flags)
  const range = before === undefined ? '' : `&before=${before}`
  return (await daemon.get<{ rounds: RoundView[] }>(`/v1/rounds?limit=${limit}${range}`)).rounds
}

/** A table of rounds, at most 80 columns wide. */
export function roundsText(rounds: readonly RoundView[]): string {
  const seconds = (name: keyof NonNullable<RoundView['ms']>) => ({
    title: name,
    of: ({ ms }: RoundView) => (ms === null ? '-' : (ms[name] / 1_000).toFixed(1)),
    align: 'right' as const
  })
  return table<RoundView>(
    [
      { title: 'round', of: ({ round }) => String(round), align: 'right' },
      {
        title: 'cut',
        of: ({ cut, stackDigest }) => (stackDigest === null ? 'void' : String(cut.length)),
        align: 'right'
      },
      { title: 'stack', of: ({ stackDigest }) => stackDigest?.slice(0, 8) ?? '-' },
      { title: 'model', of: ({ modelDigest }) => modelDigest.slice(0, 8) },
      ...(['train', 'gather', 'decide', 'stack', 'seal'] as const).map(seconds),
      {
        title: 'received',
        of: ({ bytesReceived }) => (bytesReceived === null ? '-' : sizeText(bytesReceived)),
        align: 'right'
      }
    ],
    rounds
  )
}
