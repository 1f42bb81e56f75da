import { z } from 'zod'
import { findDataFiles, type PassedOver } from './data-files.ts'
import { DataError, type TrainingExample } from './example.ts'
import {
  detectFormat,
  formatKeys,
  type ParsedRecord,
  parseRecord,
  RECORD_FORMATS,
  type RecordFormat
} from './formats.ts'
import { readRecords, type SourcedRecord } from './record-files.ts'
import { applyTemplate, type RecordTemplate } from './template.ts'

/** How to interpret records. */
export interface ReadExamplesOptions {
  /** The format of all records; detected from each file's first record if absent. */
  readonly format?: RecordFormat
  /** Turns any record into text or prompt and completion; takes precedence over `format`. */
  readonly template?: RecordTemplate
  /** How many invalid records may be skipped; 0 if absent. */
  readonly skipBad?: number
}

/** An invalid record. */
export interface BadRecord {
  /** `file:line` */
  readonly source: string
  readonly reason: string
}

/** The training data that was read. */
export interface ExampleSet {
  /** In the order of files and lines. */
  readonly examples: readonly TrainingExample[]
  readonly files: readonly string[]
  /** The formats found, joined by commas. */
  readonly format: string
  /** Invalid records that were skipped. */
  readonly bad: readonly BadRecord[]
  /** Records that ask not to be learned. */
  readonly unlearned: number
  /** Unused keys, and in how many records each occurs. */
  readonly unread: ReadonlyMap<string, number>
  /** Files in a folder that were left out of training. */
  readonly passedOver: readonly PassedOver[]
}

/** How many bad records an error lists one by one. */
const LISTED_MAX = 10

/**
 * Reads training data: text, JSONL, JSON, CSV, or a folder of them.
 *
 * @throws {DataError} naming file and line of all invalid records, if more than may be skipped, or when there are no
 * records
 */
export async function readExamples(path: string, options: ReadExamplesOptions = {}): Promise<ExampleSet> {
  const { files, passedOver } = await findDataFiles(path)
  const examples: TrainingExample[] = []
  const formats = new Set<string>()
  const bad: BadRecord[] = []
  const unread = new Map<string, number>()
  let unlearned = 0
  let records = 0
  for (const file of files) {
    let format = options.format
    for await (const read of readRecords(file)) {
      records++
      try {
        if (options.template === undefined) format ??= requireFormat(read)
        const { content, isLearned, unread: keys } = understand(read, options.template, format)
        for (const key of new Set(keys)) unread.set(key, (unread.get(key) ?? 0) + 1)
        formats.add(options.template ? 'template' : format!)
        const label = labelOf(read.record)
        if (isLearned)
          examples.push({ content, source: read.source, ...(label === undefined ? {} : { label }) })
        else unlearned++
      } catch (error) {
        if (!(error instanceof RecordFault)) throw error
        bad.push({ source: read.source, reason: error.message })
      }
    }
  }
  if (bad.length > (options.skipBad ?? 0) || (bad.length > 0 && bad.length === records))
    throw badRecords(bad, records, options.skipBad)
  if (examples.length === 0)
    throw new DataError(
      `${path} contains no documents${unlearned > 0 ? `: all ${unlearned} records say that they are not to be learned` : ''}`
    )
  return { examples, files, format: [...formats].join(', '), bad, unlearned, unread, passedOver }
}

/** What is wrong with a record, without its place. */
class RecordFault extends Error {}

/** One error for all bad records of a set, grouped by reason. */
function badRecords(bad: readonly BadRecord[], records: number, skipBad: number | undefined): DataError {
  const [first, second] = bad
  const allowed = skipBad === undefined || bad.length <= skipBad ? '' : `; ${skipBad} may be skipped`
  const cure =
    bad.length === records
      ? 'correct them'
      : `correct them, or skip up to ${bad.length} with --skip-bad ${bad.length}`
  if (second === undefined) return new DataError(`${first!.source}: ${first!.reason}`)
  const byReason = new Map<string, string[]>()
  for (const { source, reason } of bad) byReason.set(reason, [...(byReason.get(reason) ?? []), source])
  const lines = [...byReason].slice(0, LISTED_MAX).map(([reason, sources]) => {
    const listed = placesOf(sources.slice(0, LISTED_MAX))
    return `  ${listed}${sources.length > LISTED_MAX ? ` and ${sources.length - LISTED_MAX} more` : ''}: ${reason}`
  })
  const more = byReason.size > LISTED_MAX ? [`  and ${byReason.size - LISTED_MAX} more reasons`] : []
  const head = `${bad.length} of ${records} records are invalid${allowed}: ${cure}`
  return new DataError([head, ...lines, ...more].join('\n'))
}

/** Joins places, with each file's name before the first of its lines only. */
function placesOf(sources: readonly string[]): string {
  return sources
    .map((source, index) => {
      const file = source.slice(0, source.lastIndexOf(':') + 1)
      return index > 0 && sources[index - 1]!.startsWith(file) ? source.slice(file.length) : source
    })
    .join(', ')
}

function requireFormat({ record, fault }: SourcedRecord): RecordFormat {
  if (fault !== undefined) throw new RecordFault(fault)
  const found = faulty(() => detectFormat(record))
  if (found) return found
  const known = RECORD_FORMATS.map((name) => `${name} (${formatKeys(name).join(', ')})`).join('; ')
  throw new RecordFault(
    `expected an object with the keys of a known format: ${known}${keysOf(record)}. ` +
      'Map other keys with a template: "template": { "prompt": "{question}", "completion": "{answer}" } in the config'
  )
}

/** How to learn only the chosen answer of a preference pair. */
function learnChosen(record: { readonly prompt?: unknown; readonly chosen: unknown }): string {
  const { prompt, chosen } = record
  if (Array.isArray(chosen))
    return 'to learn the chosen answer alone, write it as "messages" (with the messages of "prompt" before it, if there are any)'
  const template =
    typeof prompt === 'string'
      ? '{ "prompt": "{prompt}", "completion": "{chosen}" }'
      : '{ "text": "{chosen}" }'
  return `to learn the chosen answer alone, set "template": ${template} in the config`
}

/** Describes the keys of a record and its most likely mistake. */
function keysOf(record: unknown): string {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return ''
  const keys = Object.keys(record)
  if ('chosen' in record && 'rejected' in record)
    return `. It is a preference pair (chosen, rejected), which is not supported: ${learnChosen(record)}`
  const lower = Object.fromEntries(keys.map((key) => [key.toLowerCase(), null]))
  const isCase =
    keys.some((key) => key !== key.toLowerCase()) && faulty(() => detectFormat(lower)) !== undefined
  const listed = keys.slice(0, LISTED_MAX).map((key) => JSON.stringify(key))
  return `; it has ${listed.join(', ') || 'no keys'}${isCase ? ', which must be lowercase' : ''}`
}

function understand(
  { record, fault }: SourcedRecord,
  template: RecordTemplate | undefined,
  format: RecordFormat | undefined
): ParsedRecord {
  if (fault !== undefined) throw new RecordFault(fault)
  const parsed = faulty(
    () =>
      template
        ? { content: applyTemplate(template, record), isLearned: true, unread: [] }
        : parseRecord(format!, record),
    `as ${format}, `
  )
  const { content } = parsed
  const learned =
    content.kind === 'text' ? content.text : content.kind === 'completion' ? content.completion : 'x'
  if (learned.trim() === '') throw new RecordFault('has no text to learn from')
  return parsed
}

/** Runs a function that may find a fault in a record. @throws {RecordFault} */
function faulty<T>(parse: () => T, prefix = ''): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof z.ZodError) {
      const [issue] = error.issues
      const path = issue?.path.join('.')
      const message = issue?.message.replace('received Uint8Array', 'received bytes that are not UTF-8 text')
      throw new RecordFault(`${prefix}${path ? `"${path}": ` : ''}${message}`)
    }
    const { message } = error as Error
    throw new RecordFault(message.startsWith('"') ? `${prefix}${message}` : message)
  }
}

/** The class of a record, such as Dolly's `category`. */
function labelOf(record: unknown): string | undefined {
  const { category, label } = record as { category?: unknown; label?: unknown }
  const found = category ?? label
  return typeof found === 'string' && found !== '' ? found : undefined
}
