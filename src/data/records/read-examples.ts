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

/** How records are understood. */
export interface ReadExamplesOptions {
  /** What all records are; told by each file's first record if absent. */
  readonly format?: RecordFormat
  /** Makes text or prompt and completion of any record; goes before `format`. */
  readonly template?: RecordTemplate
  /** Records that may be passed over since they do not fit; 0 if absent. */
  readonly skipBad?: number
}

/** A record that does not fit. */
export interface BadRecord {
  /** `file:line` */
  readonly source: string
  readonly reason: string
}

/** Training data as read. */
export interface ExampleSet {
  /** In the order of files and lines. */
  readonly examples: readonly TrainingExample[]
  readonly files: readonly string[]
  /** What was found: one format, or several joined by a comma. */
  readonly format: string
  /** Records that were passed over since they do not fit. */
  readonly bad: readonly BadRecord[]
  /** Records that say themselves that they are not to be learned. */
  readonly unlearned: number
  /** Keys of records that nothing reads, and in how many records. */
  readonly unread: ReadonlyMap<string, number>
  /** Files of a folder that are not trained on. */
  readonly passedOver: readonly PassedOver[]
}

/** Bad records that an error lists one by one. */
const LISTED_MAX = 10

/**
 * Reads training data: text, JSONL, JSON, CSV, or a folder of them.
 *
 * @throws {DataError} naming file and line of all records that do not fit, if they are more than may be, or when there is
 * no record
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
      `${path} holds no documents${unlearned > 0 ? `: all ${unlearned} records say that they are not to be learned` : ''}`
    )
  return { examples, files, format: [...formats].join(', '), bad, unlearned, unread, passedOver }
}

/** What is wrong with one record, without its place. */
class RecordFault extends Error {}

/** One error for all bad records of a set, those of one kind together. */
function badRecords(bad: readonly BadRecord[], records: number, skipBad: number | undefined): DataError {
  const [first, second] = bad
  const allowed = skipBad === undefined || bad.length <= skipBad ? '' : `; ${skipBad} may be passed over`
  const cure =
    bad.length === records
      ? 'correct them'
      : `correct them, or pass over up to ${bad.length} with --skip-bad ${bad.length}`
  if (second === undefined) return new DataError(`${first!.source}: ${first!.reason}`)
  const byReason = new Map<string, string[]>()
  for (const { source, reason } of bad) byReason.set(reason, [...(byReason.get(reason) ?? []), source])
  const lines = [...byReason].slice(0, LISTED_MAX).map(([reason, sources]) => {
    const listed = placesOf(sources.slice(0, LISTED_MAX))
    return `  ${listed}${sources.length > LISTED_MAX ? ` and ${sources.length - LISTED_MAX} more` : ''}: ${reason}`
  })
  const more = byReason.size > LISTED_MAX ? [`  and ${byReason.size - LISTED_MAX} more reasons`] : []
  const head = `${bad.length} of ${records} records do not fit${allowed}: ${cure}`
  return new DataError([head, ...lines, ...more].join('\n'))
}

/** Places one after the other, a file's name before the first of its lines alone. */
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
      'Name other keys in a template: "template": { "prompt": "{question}", "completion": "{answer}" } in the config'
  )
}

/** How to learn the better answer of a pair alone. */
function learnChosen(record: { readonly prompt?: unknown; readonly chosen: unknown }): string {
  const { prompt, chosen } = record
  if (Array.isArray(chosen))
    return 'to learn the chosen one alone, write it as "messages" (with the messages of "prompt" before it, if there are any)'
  const template =
    typeof prompt === 'string'
      ? '{ "prompt": "{prompt}", "completion": "{chosen}" }'
      : '{ "text": "{chosen}" }'
  return `to learn the chosen one alone, set "template": ${template} in the config`
}

/** The keys that a record has, and what its likeliest mistake is. */
function keysOf(record: unknown): string {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return ''
  const keys = Object.keys(record)
  if ('chosen' in record && 'rejected' in record)
    return `. It is a pair of answers (chosen, rejected), and preferences are not trained: ${learnChosen(record)}`
  const lower = Object.fromEntries(keys.map((key) => [key.toLowerCase(), null]))
  const isCase =
    keys.some((key) => key !== key.toLowerCase()) && faulty(() => detectFormat(lower)) !== undefined
  const listed = keys.slice(0, LISTED_MAX).map((key) => JSON.stringify(key))
  return `; it has ${listed.join(', ') || 'no keys'}${isCase ? ', which must be in small letters' : ''}`
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
  if (learned.trim() === '') throw new RecordFault('gives no text to learn from')
  return parsed
}

/** Runs what may find fault with a record. @throws {RecordFault} */
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

/** The class that a record names, as Dolly's `category` does. */
function labelOf(record: unknown): string | undefined {
  const { category, label } = record as { category?: unknown; label?: unknown }
  const found = category ?? label
  return typeof found === 'string' && found !== '' ? found : undefined
}
