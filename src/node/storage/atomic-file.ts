import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { storeError } from './store-error.ts'

/** Extension of unfinished files; those left behind by a crash may be deleted. */
export const TEMPORARY_ENDING = '.tmp'

/** Contents of a file, whole or in pieces. */
export type FileContents = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/**
 * Writes a file so that after a crash it has either its old contents or all of the new ones, and resolves only when the
 * new ones are on disk.
 *
 * @param chunks contents, whole or in pieces; each piece is used before the next is requested
 * @throws {StoreError} when a write fails; the old file is kept, also when `chunks` itself throws
 */
export async function writeFileAtomic(path: string, chunks: FileContents): Promise<void> {
  await replaceFile(path, chunks, true)
}

/**
 * Writes a file so that no reader ever sees a part of it. It is durable only after {@link syncFile} and {@link
 * syncFolder}.
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

/** An error while producing the contents, not of the disk. */
class SourceFailure extends Error {}

async function* chunksOf(chunks: FileContents): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (chunks instanceof Uint8Array) yield chunks
    else yield* chunks
  } catch (error) {
    throw new SourceFailure('producing the contents failed', { cause: error })
  }
}

/** Writes in as few calls as the system allows; appendFile splits into pieces. @returns how many bytes */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let written = 0
  while (written < bytes.length)
    written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten
  return bytes.length
}

/** Flushes a file's contents to the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Flushes the names in a folder (new, renamed and removed files), so that they survive a power cut. */
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
