import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { requireRegularFile } from '../../formats/index.ts'
import { decodeCharter, equalBytes, type SignedCharter, verifyEd25519 } from '../../protocol/index.ts'
import { writeFileAtomic } from '../storage/index.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'
import type { Home } from './home.ts'

/**
 * Reads and validates a charter file.
 *
 * @throws {PeerError} when it is missing or damaged, or a signature is invalid
 */
export async function readCharter(path: string): Promise<SignedCharter> {
  try {
    requireRegularFile(path)
    return decodeCharter(await readFile(path), verifyEd25519)
  } catch (error) {
    if (isMissing(error)) throw new PeerError(`no charter found at ${path}`)
    throw new PeerError(
      `${path} is not a valid charter (${messageOf(error)}): get it again from the founder or another member`
    )
  }
}

/**
 * Puts a charter into a home, once and for all.
 *
 * @throws {PeerError} when the home belongs to another consortium
 */
export async function adoptCharter(home: Home, path: string): Promise<void> {
  const given = await readCharter(path)
  if (!existsSync(home.charter)) return writeFileAtomic(home.charter, await readFile(path))
  const known = await readCharter(home.charter)
  if (!equalBytes(known.id, given.id))
    throw new PeerError(
      `${home.folder} belongs to another consortium: choose another --home for this charter`
    )
}
