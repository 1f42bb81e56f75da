import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { isMissing, PeerError } from './errors.ts'
import type { Home } from './home.ts'

/**
 * Takes a home for this process by writing `daemon.pid`. The file stays when the process ends: it tells who was here last,
 * and a dead process holds nothing.
 *
 * @throws {PeerError} when another daemon runs in the same home
 */
export async function lockHome(home: Home): Promise<void> {
  const holder = await runningDaemon(home)
  if (holder !== undefined && holder !== process.pid)
    throw new PeerError(
      `${home.folder} is in use by the daemon with process id ${holder}: stop it first (kill ${holder}), or choose another --home`
    )
  await writeFile(home.pid, `${process.pid}\n`)
}

/** Process id of the daemon that runs in a home, where one does. */
export async function runningDaemon(home: Home): Promise<number | undefined> {
  let text: string
  try {
    text = await readFile(home.pid, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const pid = Number.parseInt(text, 10)
  return Number.isInteger(pid) && pid > 0 && isAlive(pid) && isLoam(pid) ? pid : undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Process ids are used again: where the system tells, the process must be one of Node's to count as a daemon. */
function isLoam(pid: number): boolean {
  const commandLine = `/proc/${pid}/cmdline`
  if (!existsSync('/proc/self/cmdline')) return true
  try {
    return readFileSync(commandLine, 'utf8').split('\0').includes('peer')
  } catch {
    return false
  }
}
