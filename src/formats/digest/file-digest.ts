import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { requireRegularFile } from '../files/regular-file.ts'

/** SHA-256 of a file, or of the concatenation of several, read a piece at a time. */
export async function fileDigest(...paths: readonly string[]): Promise<Uint8Array> {
  const hash = createHash('sha256')
  for (const path of paths) {
    requireRegularFile(path)
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  }
  return hash.digest()
}
