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

/** Attempts to take over the locks of dead processes, should several daemons start in the same instant. */
const ATTEMPTS_MAX = 8

/** A daemon takes its home within milliseconds: whoever waits longer than this for its turn gives up. */
const TURNS_MAX = 500
const TURN_MS = 10

const providerSchema = z.strictObject({
  pid: z.number().int().positive(),
  /** What tells this process from another one that later has the same id; null where the system does not say. */
  started: z.string().nullable()
})
type Provider = z.infer<typeof providerSchema>

/**
 * Takes a home for this process. `daemon.lock` holds who has it, and is removed at the end; a dead process holds nothing.
 * `daemon.pid` is for people and scripts, and stays: it tells who was here last.
 *
 * @returns a function that gives the home back
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
 * Lets one daemon at a time look at the lock of a home. Without it, one that finds a dead lock may move away a lock that
 * another has just put in its place, and a third then takes the home as well. The kernel gives an abstract socket to one
 * process and takes it back at its end, however it ends; other systems than Linux have none and go without.
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
  throw new PeerError(`${home.folder} is being taken by another daemon: choose another --home`)
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
  throw new PeerError(`${home.folder} is being taken by another daemon: choose another --home`)
}

/** Process id of the daemon that has a home, where one runs. */
export async function runningDaemon(home: Home): Promise<number | undefined> {
  const text = await readLock(home.lock)
  const provider = text === undefined ? undefined : parseProvider(text)
  return provider !== undefined && isRunning(provider) ? provider.pid : undefined
}

/** Makes a file with all its contents at once; false where there is one already. */
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

/** Takes the lock of a dead process away. @throws {PeerError} when its process runs */
async function removeIfDead(home: Home): Promise<void> {
  const text = await readLock(home.lock)
  if (text === undefined) return
  const provider = parseProvider(text)
  if (provider !== undefined && isRunning(provider))
    throw new PeerError(
      `${home.folder} is in use by the daemon with process id ${provider.pid}: stop it first (kill ${provider.pid}), or choose another --home`
    )
  // Moved away first: of two that find the same dead lock one moves it, and neither deletes the other's new one unseen.
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

/** Who a lock names; undefined for one that a crash left without its contents. */
function parseProvider(text: string): Provider | undefined {
  try {
    return providerSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

function isRunning({ pid, started }: Provider): boolean {
  if (started !== null) return startOf(pid) === started
  // Without a start time an own id must be that of an earlier process, as it often is in a container.
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
