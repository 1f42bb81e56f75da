import { Command } from 'commander'
import type { RoundEvaluation, RoundView } from '../../node/control/index.ts'
import { askingDaemon, type ControlFlags, daemonOf, stoppedHomeOf } from '../options/control-command.ts'
import { integer } from '../options/parsers.ts'
import { printResult } from '../terminal/output.ts'
import { shortPeerId, sizeText, table } from '../terminal/table.ts'
import { UsageError } from '../terminal/usage-error.ts'

interface RoundsFlags extends ControlFlags {
  limit: number
  before?: number
  phases?: boolean
  matrix?: boolean
}

/** `loam rounds`: lists sealed rounds, or shows what was measured in one. */
export function roundsCommand(): Command {
  return askingDaemon(new Command('rounds'))
    .argument('[round]', 'one round, with --matrix', integer('round', 1))
    .option('--limit <n>', 'number of rounds', integer('--limit', 1, 1_000), 20)
    .option('--before <round>', 'only those before this round', integer('--before', 1))
    .option('--phases', 'show the seconds in each phase')
    .option('--matrix', "show what every member's update did to this peer's held-out loss")
    .addHelpText(
      'after',
      `
Columns:
  sealed    when this peer stored the seal
  cut       number of members whose updates were stacked
  mine      this peer's share of the stack; - if it had no part in the cut
  loss      of the sealed model on this peer's held-out text, nats per token
  model     the first digits of its digest; --json has them all
  seconds   from one seal to the next; since this peer was started

A peer that is not running is read from its files.

Examples:
  $ loam rounds --home ~/.loam
  $ loam rounds --home ~/.loam --limit 5 --json
  $ loam rounds 12 --matrix --home ~/.loam`
    )
    .action(runRounds)
}

async function runRounds(round: number | undefined, flags: RoundsFlags): Promise<void> {
  if ((round !== undefined) !== (flags.matrix === true))
    throw new UsageError('give a round and --matrix together: loam rounds 12 --matrix --home DIR')
  if (round !== undefined) {
    const evaluation = await evaluationOf(round, flags)
    return printResult(evaluation, flags, () => matrixText(evaluation))
  }
  const result = { rounds: await roundsOf(flags) }
  printResult(result, flags, () =>
    result.rounds.length === 0 ? 'no round is sealed yet' : roundsText(result.rounds, flags.phases === true)
  )
}

async function evaluationOf(round: number, flags: RoundsFlags): Promise<RoundEvaluation> {
  const stopped = await stoppedHomeOf(flags)
  if (stopped === undefined)
    return (await daemonOf(flags)).get<RoundEvaluation>(`/v1/rounds/${round}/evaluation`)
  const evaluation = await stopped.evaluation(round)
  if (evaluation === undefined) throw new Error(`nothing was measured in round ${round}`)
  return evaluation
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
export function roundsText(rounds: readonly RoundView[], hasPhases = false): string {
  const right = (title: string, of: (round: RoundView) => string) => ({ title, of, align: 'right' as const })
  const seconds = (name: keyof NonNullable<RoundView['ms']>) =>
    right(name, ({ ms }) => (ms === null ? '-' : (ms[name] / 1_000).toFixed(1)))
  const round = right('round', ({ round }) => String(round))
  const cut = right('cut', ({ cut, stackDigest }) => (stackDigest === null ? 'void' : String(cut.length)))
  if (hasPhases) {
    const phases = ['train', 'gather', 'decide', 'stack', 'seal'] as const
    return table<RoundView>([round, cut, ...phases.map(seconds)], rounds)
  }
  return table<RoundView>(
    [
      round,
      { title: 'sealed', of: ({ sealedAt }) => (sealedAt === null ? '-' : localTime(sealedAt)) },
      cut,
      right('mine', ({ weight }) => (weight === null ? '-' : `${Math.round(100 * weight)} %`)),
      right('loss', ({ heldOut }) => heldOut.sealed?.toFixed(4) ?? '-'),
      { title: 'model', of: ({ modelDigest }) => modelDigest.slice(0, 8) },
      right('seconds', ({ ms }) =>
        ms === null ? '-' : (Object.values(ms).reduce((sum, part) => sum + part, 0) / 1_000).toFixed(1)
      ),
      right('received', ({ bytesReceived }) => (bytesReceived === null ? '-' : sizeText(bytesReceived)))
    ],
    rounds
  )
}

/** What each update did to this peer's held-out loss, the most useful first; at most 80 columns wide. */
export function matrixText({ round, tokens, base, start, own, updates }: RoundEvaluation): string {
  interface Row {
    readonly name: string
    readonly loss: number
    readonly change?: number
    readonly note?: string
  }
  const rows: Row[] = updates.map(({ peerId, before, after, isRefused }) => ({
    name: `update of ${shortPeerId(peerId)}`,
    loss: after,
    change: after - before,
    ...(isRefused && { note: 'refused' })
  }))
  if (own !== null && start !== null) rows.push({ name: 'own update', loss: own, change: own - start })
  rows.sort((one, other) => one.change! - other.change!)
  const models: Row[] = []
  if (base !== null) models.push({ name: 'base model', loss: base })
  if (start !== null) models.push({ name: 'model at the start of the round', loss: start })
  const signed = (change: number) => `${change < 0 ? '' : '+'}${change.toFixed(4)}`
  const text = table<Row>(
    [
      { title: '', of: ({ name }) => name },
      { title: 'loss', of: ({ loss }) => loss.toFixed(4), align: 'right' },
      {
        title: 'change',
        of: ({ change }) => (change === undefined ? '' : signed(change)),
        align: 'right'
      },
      { title: '', of: ({ note }) => note ?? '' }
    ],
    [...models, ...rows]
  )
  const none = rows.length === 0 ? '\nno update was measured' : ''
  return `round ${round}: loss on ${tokens} held-out tokens, nats per token\n${text}${none}`
}

/** A time as month, day, hour and minute on this machine's clock. */
function localTime(iso: string): string {
  const time = new Date(iso)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${two(time.getMonth() + 1)}-${two(time.getDate())}`
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`
}
