export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** What a line of the log is about. */
export type LogTopic = 'peer' | 'rounds' | 'network' | 'blocks' | 'building' | 'control'
export const LOG_TOPICS: readonly LogTopic[] = ['peer', 'rounds', 'network', 'blocks', 'building', 'control']

/** A level for all topics, and others for some. */
export interface LogLevels {
  readonly level: LogLevel
  readonly topics: ReadonlyMap<LogTopic, LogLevel>
}

/** What {@link parseLogLevels} accepts, for people. */
export const ACCEPTS_LOG_LEVELS = `${LOG_LEVELS.join(', ')}, and topic=level (topics: ${LOG_TOPICS.join(', ')}), for instance "info,network=debug"`

/** Levels from `info,network=debug`; undefined if malformed. The general level defaults to info. */
export function parseLogLevels(text: string): LogLevels | undefined {
  let level: LogLevel | undefined
  const topics = new Map<LogTopic, LogLevel>()
  for (const part of text.split(',').map((each) => each.trim())) {
    const [left, right, ...more] = part.split('=').map((each) => each.trim())
    if (more.length > 0) return undefined
    if (right === undefined) {
      if (level !== undefined || !isLevel(left!)) return undefined
      level = left
    } else {
      if (!isTopic(left!) || !isLevel(right) || topics.has(left)) return undefined
      topics.set(left, right)
    }
  }
  return { level: level ?? 'info', topics }
}

/** The lowest level of any topic. */
export function lowestLevel({ level, topics }: LogLevels): LogLevel {
  const used = new Set([level, ...topics.values()])
  return LOG_LEVELS.find((each) => used.has(each))!
}

function isLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text)
}

function isTopic(text: string): text is LogTopic {
  return (LOG_TOPICS as readonly string[]).includes(text)
}
