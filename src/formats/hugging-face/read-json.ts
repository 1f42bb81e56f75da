import { readUtf8File } from '../files/utf8-text.ts'

/**
 * Reads a file that holds a JSON object.
 *
 * @throws {Error} with the path, when the file is missing, no JSON, or JSON of something else
 */
export function readJsonObject(path: string): object {
  const text = readUtf8File(path)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new Error(`${path} is not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Error(`${path} does not hold a JSON object`)
  }
  return json
}
