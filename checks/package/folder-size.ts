import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Size of a folder and everything below it, in bytes. */
export interface FolderSize {
  /** Lengths of all files together, as npm counts a package's unpacked size. */
  readonly bytes: number
  /** Blocks that the file system uses for them. */
  readonly diskBytes: number
  readonly files: number
}

/** Unit of `st_blocks`, bytes. */
const BLOCK_BYTES = 512

/** Measures a folder; links are not followed. */
export async function folderSize(folder: string): Promise<FolderSize> {
  let [bytes, diskBytes, files] = [0, 0, 0]
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const { size, blocks } = await lstat(join(entry.parentPath, entry.name))
    bytes += size
    diskBytes += blocks * BLOCK_BYTES
    files++
  }
  return { bytes, diskBytes, files }
}
