import { unwatchFile, watchFile } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Log } from '../log/log.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'

/** How often to look whether the file has changed, milliseconds. */
const LOOK_MS = 2_000
/** How long a file has to stay as it is until it counts as written, milliseconds. */
const SETTLED_MS = 300
/** As often as it may be found changed in between, until it is taken as it is. */
const SETTLING_MAX = 20
/** As many as the largest consortium has members, and room for comments. */
const LINES_MAX = 100_000

/** Whom a relay carries: some for as long as it runs, and those whom a file names, a PeerId a line. */
export class AllowList {
  readonly #path: string
  readonly #always: ReadonlySet<string>
  readonly #log: Log
  #listed: ReadonlySet<string> = new Set()

  /** @param always PeerIds, whatever the file says */
  constructor(path: string, always: Iterable<string>, log: Log) {
    this.#path = path
    this.#always = new Set(always)
    this.#log = log
  }

  get size(): number {
    return new Set([...this.#always, ...this.#listed]).size
  }

  has(peerId: string): boolean {
    return this.#always.has(peerId) || this.#listed.has(peerId)
  }

  /** Reads the file; without one nobody is added. @throws {PeerError} where a line is no PeerId; who was listed stays so */
  async read(): Promise<void> {
    this.#listed = await listedIn(this.#path)
  }

  /**
   * Reads the file again whenever it changes, once it is written to the end: an editor that writes in place leaves it
   * empty for a moment.
   *
   * @param onChange called after it was read
   */
  watch(onChange: () => void, lookMs = LOOK_MS): void {
    watchFile(this.#path, { interval: lookMs, persistent: false }, () => {
      settled(this.#path)
        .then(() => this.read())
        .then(() => {
          this.#log.info({ file: this.#path, admitted: this.size }, 'who is carried was read again')
          onChange()
        })
        .catch((error: unknown) => {
          this.#log.warn({ error: messageOf(error) }, 'who is carried stays as it was')
        })
    })
  }

  stop(): void {
    unwatchFile(this.#path)
  }
}

/** Resolves when a file's length and time have stayed the same for a while, or it is gone. */
async function settled(path: string): Promise<void> {
  const look = () =>
    stat(path).then(
      ({ size, mtimeMs }) => `${size} ${mtimeMs}`,
      () => 'not there'
    )
  let before = await look()
  for (let count = 0; count < SETTLING_MAX; count++) {
    await delay(SETTLED_MS, undefined, { ref: false })
    const now = await look()
    if (now === before) return
    before = now
  }
}

async function listedIn(path: string): Promise<Set<string>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return new Set()
    throw new PeerError(`cannot read ${path}: ${messageOf(error)}`)
  }
  const lines = text.split('\n', LINES_MAX + 1)
  if (lines.length > LINES_MAX) throw new PeerError(`${path} has more than ${LINES_MAX} lines`)
  return new Set(
    lines.flatMap((line, index) => {
      const peerId = line.replace(/#.*/, '').trim()
      return peerId === '' ? [] : [readPeerId(peerId, `${path}, line ${index + 1}`)]
    })
  )
}

/** A PeerId as it is compared. @throws {PeerError} for anything else, naming where it stands */
export function readPeerId(text: string, where: string): string {
  try {
    return peerIdFromString(text).toString()
  } catch {
    throw new PeerError(`${where}: ${text.slice(0, 80)} is no PeerId such as 12D3KooW…`)
  }
}
