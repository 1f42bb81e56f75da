import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { PeerError } from '../storage/peer-error.ts'
import { closeSecret, createSecret } from '../storage/secret-file.ts'

/** Shorter ones were not made by this program. */
const TOKEN_PATTERN = /^[\x21-\x7e]{32,256}$/

/**
 * The token at `path`, made once with mode 600.
 *
 * @param onOpen called when others could read the file; it is closed to them
 * @throws {PeerError} when the file holds none
 */
export async function loadOrCreateToken(path: string, onOpen: () => void): Promise<string> {
  await createSecret(path, `${randomBytes(32).toString('base64url')}\n`)
  if (await closeSecret(path)) onOpen()
  return readToken(path)
}

/** The token at `path`. @throws {PeerError} when the file holds none */
export async function readToken(path: string): Promise<string> {
  const token = (await readFile(path, 'utf8')).trim()
  if (TOKEN_PATTERN.test(token)) return token
  throw new PeerError(`${path} holds no token: remove it, and the daemon makes a new one when it starts`)
}
