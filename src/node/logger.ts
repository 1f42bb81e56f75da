import pino, { type Logger } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/**
 * Structured logs as JSON lines into a file and, where asked for, to standard error.
 *
 * @param level lowest level that is written
 */
export function createLogger(path: string, level: LogLevel, toStandardError: boolean): Logger {
  // Written at once: the last lines before a crash are the ones that matter.
  const file = pino.destination({ dest: path, append: true, sync: true, mkdir: true })
  // A full disk loses lines of the log, never the daemon.
  file.on('error', () => undefined)
  const streams = [{ level, stream: file }, ...(toStandardError ? [{ level, stream: process.stderr }] : [])]
  return pino({ level, base: undefined }, pino.multistream(streams))
}
