import { stat } from 'node:fs/promises'

/**
 * What changes when one of the files does: their names, identities, sizes and times of modification. A file that is
 * written over in place, replaced by another, or set back in time has another stamp.
 *
 * @throws {Error} when a file is missing
 */
export async function fileStamp(files: readonly string[]): Promise<string> {
  const stats = await Promise.all(files.map((file) => stat(file, { bigint: true })))
  return files
    .map((file, index) => {
      const { dev, ino, size, mtimeNs, ctimeNs } = stats[index]!
      return [file, dev, ino, size, mtimeNs, ctimeNs].join('\0')
    })
    .join('\n')
}
