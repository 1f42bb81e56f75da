import { readdir, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, PeerError } from './peer-error.ts'

/** How many names a message lists. */
const LISTED_MAX = 3

/**
 * Refuses to write into a folder that contains something, unless it may be replaced. Hidden files do not count.
 *
 * @param apart files that may be there
 * @throws {PeerError} naming some of what is in it, and what to do
 */
export async function requireFreeFolder(
  folder: string,
  overwrite = false,
  apart: readonly string[] = []
): Promise<void> {
  const names = (await visibleNames(folder)).filter((name) => !apart.includes(name))
  if (names.length === 0 || overwrite) return
  const more = names.length > LISTED_MAX ? ` and ${names.length - LISTED_MAX} more` : ''
  throw new PeerError(
    `${folder} is not empty (${names.slice(0, LISTED_MAX).join(', ')}${more}): choose another folder, or replace what is in it with --overwrite`
  )
}

/**
 * Refuses to write into a folder whose files are read, even if it may be replaced: they would be lost.
 *
 * @param read folders by what they hold, as the end of the message has it
 * @throws {PeerError} naming what the folder holds
 */
export async function requireOtherFolder(
  folder: string,
  read: Readonly<Record<string, string | undefined>>
): Promise<void> {
  const place = await placeOf(folder)
  for (const [what, path] of Object.entries(read))
    if (place !== undefined && path !== undefined && place === (await placeOf(path)))
      throw new PeerError(`${folder} is the folder of ${what}: choose another folder`)
}

async function placeOf(path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Removes the files of a folder that would be read together with what is about to be written. */
export async function removeReplaced(folder: string, pattern: RegExp): Promise<void> {
  for (const name of await visibleNames(folder)) if (pattern.test(name)) await rm(join(folder, name))
}

async function visibleNames(folder: string): Promise<string[]> {
  try {
    if (!(await stat(folder)).isDirectory())
      throw new PeerError(`${folder} is a file, not a folder: choose another name`)
    return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
