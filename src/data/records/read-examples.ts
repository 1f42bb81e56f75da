import { pipe } from 'it-pipe'
import { z } from 'zod'
import { DataError, type ExampleContent, type TrainingExample } from './example.ts'
import { detectFormat, formatKeys, parseRecord, RECORD_FORMATS, type RecordFormat } from './formats.ts'
import { dataFiles, readRecords, type SourcedRecord } from './record-files.ts'
import { applyTemplate, type RecordTemplate } from './template.ts'

/** How records are understood. */
export interface ReadExamplesOptions {
  /** What all records are; told by each file's first record if absent. */
  readonly format?: RecordFormat
  /** Makes text or prompt and completion of any record; goes before `format`. */
  readonly template?: RecordTemplate
}

/** Training data as read. */
export interface ExampleSet {
  /** In the order of files and lines. */
  readonly examples: readonly TrainingExample[]
  readonly files: readonly string[]
  /** What was found: one format, or several joined by a comma. */
  readonly format: string
}

/**
 * Reads training data: text, JSONL, JSON, CSV, or a folder of them.
 *
 * @throws {DataError} naming file and line, when a record does not fit or there is none
 */
export async function readExamples(path: string, options: ReadExamplesOptions = {}): Promise<ExampleSet> {
  const files = await dataFiles(path)
  const examples: TrainingExample[] = []
  const formats = new Set<string>()
  for (const file of files) {
    const found = pipe(readRecords(file), (records) => toExamples(records, options))
    for await (const { example, format } of found) {
      examples.push(example)
      formats.add(format)
    }
  }
  if (examples.length === 0) throw new DataError(`${path} holds no documents`)
  return { examples, files, format: [...formats].join(', ') }
}

/** Understands one file's records; where no format is given, the first record tells that of all. */
async function* toExamples(
  records: AsyncIterable<SourcedRecord>,
  { template, format: given }: ReadExamplesOptions
): AsyncGenerator<{ readonly example: TrainingExample; readonly format: string }> {
  let format = given
  for await (const { record, source } of records) {
    if (template === undefined) format ??= requireFormat(record, source)
    const content = understand(record, source, template, format)
    const label = labelOf(record)
    const example = { content, source, ...(label === undefined ? {} : { label }) }
    yield { example, format: template ? 'template' : format! }
  }
}

function requireFormat(record: unknown, source: string): RecordFormat {
  const found = detectFormat(record)
  if (found) return found
  const known = RECORD_FORMATS.map((name) => `${name} (${formatKeys(name).join(', ')})`).join('; ')
  throw new DataError(
    `${source}: expected an object with the keys of a known format: ${known}. ` +
      'Name other keys in a template: "template": { "prompt": "{question}", "completion": "{answer}" } in the config'
  )
}

function understand(
  record: unknown,
  source: string,
  template: RecordTemplate | undefined,
  format: RecordFormat | undefined
): ExampleContent {
  try {
    const content = template ? applyTemplate(template, record) : parseRecord(format!, record)
    const learned =
      content.kind === 'text' ? content.text : content.kind === 'completion' ? content.completion : 'x'
    if (learned.trim() === '') throw new Error('gives no text to learn from')
    return content
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw new DataError(`${source}: ${(error as Error).message}`)
    const [issue] = error.issues
    const path = issue?.path.join('.')
    throw new DataError(`${source}: as ${format}, ${path ? `"${path}": ` : ''}${issue?.message}`)
  }
}

/** The class that a record names, as Dolly's `category` does. */
function labelOf(record: unknown): string | undefined {
  const { category, label } = record as { category?: unknown; label?: unknown }
  const found = category ?? label
  return typeof found === 'string' && found !== '' ? found : undefined
}
