import { stat } from 'node:fs/promises'

/**
 * A stamp that changes when one of the files does: their names, inodes, sizes and modification times. Overwriting a
 * file in place, replacing it, or setting it back in time changes the stamp.
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
