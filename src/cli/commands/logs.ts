import { Command, Option } from 'commander'
import { LOG_LEVELS, LOG_TOPICS, type LogLevel, type LogTopic } from '../../node/log/levels.ts'
import {
  askingDaemon,
  type ControlFlags,
  daemonOf,
  stoppedHomeOf,
  untilInterrupted
} from '../options/control-command.ts'
import { commaSeparated, integer } from '../options/parsers.ts'
import { EXIT, printProgress, printResult } from '../terminal/output.ts'
import { printableLine } from '../terminal/printable.ts'
import { UsageError } from '../terminal/usage-error.ts'

interface LogsFlags extends ControlFlags {
  follow?: boolean
  lines: number
  level?: string
  topic?: string[]
}

/** A line of the daemon's log. */
type LogLine = Readonly<Record<string, unknown>>

/** `loam logs`: the daemon's log. */
export function logsCommand(): Command {
  return askingDaemon(new Command('logs'))
    .option('-f, --follow', 'print new lines as they come, until Ctrl-C or the peer stops')
    .option('-n, --lines <n>', 'number of lines', integer('--lines', 0, 1_000), 20)
    .addOption(new Option('--level <level>', 'only this level and above').choices(LOG_LEVELS))
    .option('--topic <topics>', `only these: ${LOG_TOPICS.join(', ')}`, topics)
    .addHelpText(
      'after',
      `
Shows only what the peer's own --log-level lets through; the whole log is in
HOME/daemon.log, which is read where the peer does not run. With --json, lines are printed as the peer writes them: one per
line with --follow, otherwise in the "lines" array of one object.

Examples:
  $ loam logs --home ~/.loam -f
  $ loam logs --home ~/.loam --level warn --topic network,blocks -n 100`
    )
    .action(runLogs)
}

/** @throws {UsageError} for an unknown topic */
function topics(text: string): string[] {
  const given = commaSeparated(text)
  const unknown = given.find((topic) => !(LOG_TOPICS as readonly string[]).includes(topic))
  if (unknown === undefined && given.length > 0) return given
  throw new UsageError(
    `--topic must be one of ${LOG_TOPICS.join(', ')}, got ${JSON.stringify(unknown ?? text)}`
  )
}

async function runLogs(flags: LogsFlags): Promise<void> {
  const stopped = flags.follow === true ? undefined : await stoppedHomeOf(flags)
  if (stopped !== undefined) {
    const filter = { level: flags.level as LogLevel, topics: flags.topic as LogTopic[] }
    const lines = (await stopped.logs(flags.lines, filter)) as LogLine[]
    printResult({ lines }, flags, () => lines.map(lineText).join('\n'))
    return
  }
  const daemon = await daemonOf(flags)
  const filter = `${flags.level === undefined ? '' : `&level=${flags.level}`}${
    flags.topic === undefined ? '' : `&topic=${flags.topic.join(',')}`
  }`
  if (flags.follow !== true) {
    const { lines } = await daemon.get<{ lines: LogLine[] }>(`/v1/logs?lines=${flags.lines}${filter}`)
    printResult({ lines }, flags, () => lines.map(lineText).join('\n'))
    return
  }
  const interrupted = untilInterrupted()
  for await (const { type, data } of daemon.events(
    `/v1/events?types=log&lines=${flags.lines}${filter}`,
    interrupted
  )) {
    if (type === 'dropped') printProgress('note: too slow: some lines were left out; see HOME/daemon.log')
    else printResult(data as LogLine, flags, () => lineText(data as LogLine))
  }
  if (interrupted.aborted) return
  printProgress('the daemon has ended')
  process.exitCode = EXIT.done
}

const LEVEL_NAMES: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** A line as text: time, level, topic, message, and the other fields as `name=value`. */
export function lineText({ time, level, topic, msg, ...fields }: LogLine): string {
  const at = new Date(Number(time)).toISOString().slice(11, 23)
  const rest = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  )
  const name = LEVEL_NAMES[Number(level)] ?? String(level)
  // A field may contain what a stranger sent, which must not control the terminal.
  return printableLine(
    `${at} ${name.padEnd(5)} ${String(topic ?? '').padEnd(8)} ${String(msg)}${rest.join('')}`
  )
}
