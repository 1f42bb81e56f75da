import pino, { type Logger } from 'pino'
import { type LogLevels, lowestLevel } from './levels.ts'

/**
 * Structured logs as JSON lines into a file and, where asked for, to standard error.
 *
 * @param levels lowest levels that are written
 */
export function createLogger(path: string, levels: LogLevels, toStandardError: boolean): Logger {
  const level = lowestLevel(levels)
  // Written at once: the last lines before a crash are the ones that matter.
  const file = pino.destination({ dest: path, append: true, sync: true, mkdir: true })
  // A full disk loses lines of the log, never the daemon.
  file.on('error', () => undefined)
  const streams = [{ level, stream: file }, ...(toStandardError ? [{ level, stream: process.stderr }] : [])]
  return pino({ level, base: undefined }, pino.multistream(streams))
}
