import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { link, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { isMissing, PeerError } from '../storage/peer-error.ts'
import { errorCode } from '../storage/store-error.ts'
import type { Home } from './home.ts'

/** Attempts to take over a dead process's lock when several daemons start at the same time. */
const ATTEMPTS_MAX = 8

/** A daemon locks its home within milliseconds: one that waits longer than this for its turn fails. */
const TURNS_MAX = 500
const TURN_MS = 10

const providerSchema = z.strictObject({
  pid: z.number().int().positive(),
  /** Distinguishes this process from a later one with the same id; null if the system does not tell. */
  started: z.string().nullable()
})
type Provider = z.infer<typeof providerSchema>

/**
 * Locks a home for this process. `daemon.lock` names the owner and is removed at the end; a dead process owns nothing.
 * `daemon.pid` is for people and scripts, and stays behind.
 *
 * @returns a function that releases the home
 * @throws {PeerError} when another daemon runs in the same home
 */
export async function lockHome(home: Home): Promise<() => Promise<void>> {
  const turn = await takeTurn(home)
  try {
    return await takeLock(home)
  } finally {
    turn?.close()
  }
}

/**
 * Lets one daemon at a time examine a home's lock. Without it, a daemon that finds a dead lock could move away the live
 * one that another has just put in its place. On Linux an abstract socket belongs to one process, and the kernel
 * releases it whenever that process ends; other systems go without.
 */
async function takeTurn(home: Home): Promise<Server | undefined> {
  if (process.platform !== 'linux') return undefined
  const name = createHash('sha256')
    .update(await realpath(home.folder))
    .digest('hex')
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const server = createServer((socket) => socket.destroy())
    server.unref()
    try {
      server.listen(`\0loam-home-${name}`)
      await once(server, 'listening')
      return server
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw error
      await delay(TURN_MS)
    }
  }
  throw new PeerError(`${home.folder} is being locked by another daemon: choose another --home`)
}

async function takeLock(home: Home): Promise<() => Promise<void>> {
  const mine: Provider = { pid: process.pid, started: startOf(process.pid) }
  const text = `${JSON.stringify(mine)}\n`
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (await createWhole(home.lock, text)) {
      await writeFile(home.pid, `${process.pid}\n`)
      return async () => {
        if ((await readLock(home.lock)) === text) await rm(home.lock, { force: true })
      }
    }
    await removeIfDead(home)
  }
  throw new PeerError(`${home.folder} is being locked by another daemon: choose another --home`)
}

/** Process id of the daemon that owns a home, if one runs. */
export async function runningDaemon(home: Home): Promise<number | undefined> {
  const text = await readLock(home.lock)
  const provider = text === undefined ? undefined : parseProvider(text)
  return provider !== undefined && isRunning(provider) ? provider.pid : undefined
}

/** Creates a file with all its contents at once; false if it exists. */
async function createWhole(path: string, text: string): Promise<boolean> {
  const whole = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(whole, text, { flag: 'wx' })
  try {
    await link(whole, path)
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(whole, { force: true })
  }
}

/** Removes the lock of a dead process. @throws {PeerError} when its process is running */
async function removeIfDead(home: Home): Promise<void> {
  const text = await readLock(home.lock)
  if (text === undefined) return
  const provider = parseProvider(text)
  if (provider !== undefined && isRunning(provider))
    throw new PeerError(
      `${home.folder} is in use by the daemon with process id ${provider.pid}: stop it first (kill ${provider.pid}), or choose another --home`
    )
  // Moved away first: of two daemons that find the same dead lock only one moves it, and neither deletes the other's
  // new one.
  const aside = `${home.lock}.${randomBytes(6).toString('hex')}`
  try {
    await rename(home.lock, aside)
    if ((await readLock(aside)) !== text) await link(aside, home.lock)
    await rm(aside)
  } catch (error) {
    if (!isMissing(error) && errorCode(error) !== 'EEXIST') throw error
  }
}

async function readLock(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The owner named in a lock; undefined for one that a crash left empty. */
function parseProvider(text: string): Provider | undefined {
  try {
    return providerSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

function isRunning({ pid, started }: Provider): boolean {
  if (started !== null) return startOf(pid) === started
  // Without a start time, this process's own id must be an earlier process's, as is common in containers.
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

/** When a process started: the machine's boot and the clock tick since, where /proc tells; process ids are used again. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in brackets and may hold anything; the start time is the 22nd.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return ticks === undefined ? null : `${boot}/${ticks}`
  } catch {
    return null
  }
}
