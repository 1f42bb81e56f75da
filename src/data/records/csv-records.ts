import { Readable } from 'node:stream'
import { type CsvError, parse } from 'csv-parse'
import { dataEnding } from './data-files.ts'
import { DataError } from './example.ts'
import type { SourcedRecord } from './record-files.ts'

/** Only this many characters at the start of a file are searched for the header. */
const HEADER_CHARACTERS_MAX = 65_536

/**
 * The rows of a CSV or TSV file as records keyed by its header. If the header has no comma but semicolons or tabs,
 * those are the delimiter, as spreadsheets write it in many countries. A row that does not match the header becomes a
 * record with a fault.
 *
 * @throws {DataError} naming file and line, when a column is repeated in the header, or a quote is never closed
 */
export async function* readCsvRecords(
  path: string,
  pieces: AsyncIterable<string>
): AsyncGenerator<SourcedRecord> {
  const source = pieces[Symbol.asyncIterator]()
  let head = ''
  let isDone = false
  while (!head.includes('\n') && head.length < HEADER_CHARACTERS_MAX && !isDone) {
    const next = await source.next()
    isDone = next.done === true
    if (!isDone) head += next.value
  }
  const faults: SourcedRecord[] = []
  let last: string | undefined
  const parser = Readable.from(joined(head, source)).pipe(
    parse({
      columns: (names: string[]) => checkHeader(names, path),
      delimiter: delimiterOf(head.split('\n')[0]!, path),
      info: true,
      skip_empty_lines: true,
      skip_records_with_error: true,
      on_skip: (error) => {
        const fault = error && faultOf(error, path)
        // A single unreadable row may be skipped in several pieces.
        if (fault !== undefined && fault.source !== last) faults.push(fault)
        last = fault?.source ?? last
        return undefined
      }
    })
  )
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: unknown
      info: { lines: number }
    }>) {
      yield* faults.splice(0)
      yield { record, source: `${path}:${info.lines}` }
    }
    yield* faults.splice(0)
  } catch (error) {
    if (error instanceof DataError) throw error
    const { message, lines } = error as Error & { lines?: number }
    throw new DataError(`${path}${lines === undefined ? '' : `:${lines}`}: ${withoutValue(message)}`)
  }
}

async function* joined(head: string, rest: AsyncIterator<string>): AsyncGenerator<string> {
  yield head
  for (;;) {
    const { done, value } = await rest.next()
    if (done === true) return
    yield value
  }
}

function delimiterOf(header: string, path: string): string {
  if (dataEnding(path) === '.tsv') return '\t'
  const bare = header.replace(/"[^"]*"/g, '')
  if (bare.includes(',')) return ','
  return [';', '\t'].find((delimiter) => bare.includes(delimiter)) ?? ','
}

function checkHeader(names: string[], path: string): string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return names
  throw new DataError(`${path}:1: the column ${JSON.stringify(twice)} is repeated: rename or remove one`)
}

function faultOf(error: CsvError, path: string): SourcedRecord {
  const lines = (error as CsvError & { lines?: number }).lines
  return { record: undefined, source: `${path}:${lines ?? '?'}`, fault: withoutValue(error.message) }
}

/** The parser's message without the excerpt of the data, which may be private. */
function withoutValue(message: string): string {
  return message.replace(/,? value is .*$/s, '')
}
