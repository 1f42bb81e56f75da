import pino from 'pino'
import { type LogLevels, type LogTopic, lowestLevel } from './levels.ts'
import type { Log } from './log.ts'
import { RecentLines } from './recent-lines.ts'
import { RotatingFile, type RotationTerms } from './rotating-file.ts'

export { ROTATION_DEFAULTS } from './rotating-file.ts'

/** Where a peer's logs are written. */
export interface LogOptions extends RotationTerms {
  readonly path: string
  readonly levels: LogLevels
  /** Whether they are also written to standard error. */
  readonly toStandardError: boolean
}

/** Structured logs, one logger a topic. */
export interface Logs {
  /** The log of a topic; every line carries its name. */
  of(topic: LogTopic): Log
  readonly recent: RecentLines
}

/** Structured logs as JSON lines into a file that is rotated and, where asked for, to standard error. */
export function createLogs({ path, levels, toStandardError, ...terms }: LogOptions): Logs {
  const level = lowestLevel(levels)
  const recent = new RecentLines()
  const streams = [
    { level, stream: new RotatingFile(path, terms) },
    { level, stream: recent },
    ...(toStandardError ? [{ level, stream: process.stderr }] : [])
  ]
  const root = pino({ level, base: undefined }, pino.multistream(streams))
  const children = new Map<LogTopic, Log>()
  return {
    recent,
    of(topic) {
      const known = children.get(topic)
      if (known !== undefined) return known
      const child = root.child({ topic }, { level: levels.topics.get(topic) ?? levels.level })
      children.set(topic, child)
      return child
    }
  }
}
