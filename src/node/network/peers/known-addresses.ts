import { readFile, rename } from 'node:fs/promises'
import { z } from 'zod'
import type { Home } from '../../home/home.ts'
import { type Log, writeFileAtomic } from '../../storage/index.ts'
import { isMissing, messageOf } from '../../storage/peer-error.ts'

/** Maximum number of addresses kept across restarts. */
const ADDRESSES_MAX = 4096
/** Interval at which changes are saved, milliseconds. */
const LOOK_INTERVAL_MS = 3_000
const addressesSchema = z.array(z.string().max(512)).max(ADDRESSES_MAX)

/**
 * Members' addresses from this peer's last run; empty if unknown. They are hints: a damaged file is moved aside and
 * does not prevent the start.
 */
export async function loadAddresses(home: Home, log: Log): Promise<string[]> {
  try {
    return addressesSchema.parse(JSON.parse(await readFile(home.addresses, 'utf8')))
  } catch (error) {
    if (isMissing(error)) return []
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error
    const aside = `${home.addresses}.damaged`
    await rename(home.addresses, aside)
    log.warn({ path: aside }, 'the known addresses were damaged; the file is moved aside')
    return []
  }
}

/** Stores where this peer listens, for its invites. */
export async function saveOwnAddresses(home: Home, addresses: readonly string[]): Promise<void> {
  await writeFileAtomic(
    home.ownAddresses,
    new TextEncoder().encode(`${JSON.stringify(addresses, undefined, 2)}\n`)
  )
}

/** Where this peer listened in its last run; empty if it never did, or the file is unreadable. */
export async function loadOwnAddresses(home: Home): Promise<string[]> {
  try {
    return addressesSchema.parse(JSON.parse(await readFile(home.ownAddresses, 'utf8')))
  } catch {
    return []
  }
}

/** Keeps members' addresses on disk, so that a peer finds them after a restart or crash without its bootstrap peer. */
export class AddressKeeper {
  readonly #home: Home
  readonly #known: () => readonly string[]
  readonly #log: Log
  #saved = ''
  #saving: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  /** @param known the addresses of all peers known so far */
  constructor(home: Home, known: () => readonly string[], log: Log) {
    this.#home = home
    this.#known = known
    this.#log = log
  }

  /** Starts saving changes, with a delay of a few seconds at most. */
  start(): void {
    this.#timer = setInterval(() => void this.save(), LOOK_INTERVAL_MS)
  }

  /** Saves the addresses if they have changed. A failing write is logged and retried later. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      const kept = [...new Set(this.#known())].sort().slice(0, ADDRESSES_MAX)
      const text = `${JSON.stringify(kept, undefined, 2)}\n`
      // An empty list must not replace an earlier one.
      if (kept.length === 0 || text === this.#saved) return
      try {
        await writeFileAtomic(this.#home.addresses, new TextEncoder().encode(text))
        this.#saved = text
      } catch (error) {
        this.#log.warn({ error: messageOf(error) }, 'the known addresses cannot be written')
      }
    })
    return this.#saving
  }

  /** Saves a last time and stops. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.save()
  }
}
