import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { storeError } from './store-error.ts'

/** Ending of files that are not whole yet; what a crash leaves behind with it may be deleted. */
export const TEMPORARY_ENDING = '.tmp'

/** Contents of a file: in one piece, or piece by piece. */
export type FileContents = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/**
 * Writes a file so that after a crash it holds either its old contents or all of the new ones, and resolves only when
 * the new ones are on the disk.
 *
 * @param chunks contents, in one piece or in several; each is used before the next is asked for
 * @throws {StoreError} when the disk refuses; the old file stays as it was, as it does when `chunks` itself throws
 */
export async function writeFileAtomic(path: string, chunks: FileContents): Promise<void> {
  await replaceFile(path, chunks, true)
}

/**
 * Writes a file so that no reader ever sees a part of it. It is on the disk only after {@link syncFile} and
 * {@link syncFolder}.
 *
 * @throws {StoreError} when the disk refuses
 */
export async function writeFileWhole(path: string, bytes: Uint8Array): Promise<void> {
  await replaceFile(path, bytes, false)
}

async function replaceFile(path: string, chunks: FileContents, isDurable: boolean): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}${TEMPORARY_ENDING}`
  try {
    const file = await open(temporary, 'wx')
    try {
      let length = 0
      for await (const chunk of chunksOf(chunks)) length += await writeAll(file, chunk, length)
      if (isDurable) await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    if (isDurable) await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error instanceof SourceFailure ? error.cause : storeError(`cannot write ${path}`, error)
  }
}

/** What kept the contents from being made: not the disk's fault. */
class SourceFailure extends Error {}

async function* chunksOf(chunks: FileContents): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (chunks instanceof Uint8Array) yield chunks
    else yield* chunks
  } catch (error) {
    throw new SourceFailure('the contents were not made', { cause: error })
  }
}

/** Writes in as few calls as the system takes: appendFile cuts into pieces. @returns how many bytes */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let written = 0
  while (written < bytes.length)
    written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten
  return bytes.length
}

/** Puts a file's contents on the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes the names in a folder (new, renamed and removed files) survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders; its file systems journal names themselves.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
