import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { pipe } from 'it-pipe'
import { z } from 'zod'

const lineSchema = z.looseObject({ text: z.string().min(1) })

/**
 * Reads training documents from JSONL: one object with a `text` a line; empty lines are passed over.
 *
 * @throws {Error} naming the file and the line that does not fit
 */
export async function readDocuments(path: string): Promise<string[]> {
  const lines = createInterface({
    input: createReadStream(path, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY
  })
  const documents = await pipe(lines, (source) => parseLines(source, path), collect)
  if (documents.length === 0) throw new Error(`${path} holds no documents`)
  return documents
}

async function* parseLines(lines: AsyncIterable<string>, path: string): AsyncGenerator<string> {
  let number = 0
  for await (const line of lines) {
    number++
    if (line.trim() === '') continue
    try {
      yield lineSchema.parse(JSON.parse(line)).text
    } catch {
      throw new Error(`${path}, line ${number}: expected a JSON object with a non-empty "text"`)
    }
  }
}

async function collect(source: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = []
  for await (const text of source) collected.push(text)
  return collected
}
