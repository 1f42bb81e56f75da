import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { z } from 'zod'

const lineSchema = z.looseObject({ text: z.string().min(1) })

/**
 * Reads training documents from JSONL: one object with a `text` a line; empty lines are passed over.
 *
 * @throws {Error} naming the file and the line that does not fit
 */
export async function readDocuments(path: string): Promise<string[]> {
  const documents: string[] = []
  const lines = createInterface({
    input: createReadStream(path, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY
  })
  let number = 0
  for await (const line of lines) {
    number++
    if (line.trim() === '') continue
    try {
      documents.push(lineSchema.parse(JSON.parse(line)).text)
    } catch {
      throw new Error(`${path}, line ${number}: expected a JSON object with a non-empty "text"`)
    }
  }
  if (documents.length === 0) throw new Error(`${path} holds no documents`)
  return documents
}
