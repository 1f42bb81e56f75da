import { z } from 'zod'
import { LOG_LEVELS, LOG_TOPICS, type LogLevel, type LogTopic } from '../log/levels.ts'

/** Pino's numbers of the levels. */
const NUMBERS: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 }

const lineSchema = z.looseObject({ level: z.number(), topic: z.string().optional() })

/** A selection of log lines. */
export interface LogFilter {
  /** The lowest. */
  readonly level?: LogLevel | undefined
  /** All topics if none is given. */
  readonly topics?: readonly LogTopic[] | undefined
}

/** Parameters of a request for lines of the log. */
export const logFilterSchema = z.object({
  level: z.enum(LOG_LEVELS as [LogLevel, ...LogLevel[]]).optional(),
  topic: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(LOG_TOPICS as [LogTopic, ...LogTopic[]])).max(LOG_TOPICS.length))
    .optional()
})

/** Whether a line, as JSON, matches a filter. */
export function wantsLine({ level, topics }: LogFilter, line: unknown): boolean {
  const parsed = lineSchema.safeParse(line)
  if (!parsed.success) return false
  if (level !== undefined && parsed.data.level < NUMBERS[level]) return false
  return topics === undefined || (topics as readonly string[]).includes(parsed.data.topic ?? '')
}
