import { randomBytes } from 'node:crypto'
import { chmod, link, open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from './atomic-file.ts'
import { errorCode, storeError } from './store-error.ts'

/** Creates a file with mode 600, completely or not at all; an existing one is kept. @throws {StoreError} */
export async function createSecret(path: string, text: string): Promise<void> {
  const whole = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const file = await open(whole, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
    await link(whole, path)
    await syncFolder(dirname(path))
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw storeError(`cannot write ${path}`, error)
  } finally {
    await file.close()
    await rm(whole, { force: true })
  }
}

/** Restricts a secret file to its owner. @returns whether others had access */
export async function closeSecret(path: string): Promise<boolean> {
  const { mode } = await stat(path)
  // Windows has no such modes.
  if (process.platform === 'win32' || (mode & 0o077) === 0) return false
  await chmod(path, 0o600)
  return true
}
