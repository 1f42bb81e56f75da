import { unwatchFile, watchFile } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { peerIdFromString } from '@libp2p/peer-id'
import { decodeUtf8 } from '../../formats/index.ts'
import type { Log } from '../log/log.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'

/** Interval at which the file is checked for changes, milliseconds. */
const LOOK_MS = 2_000
/** Time without changes after which the file counts as completely written, milliseconds. */
const SETTLED_MS = 300
/** Number of changes in between after which it is read anyway. */
const SETTLING_MAX = 20
/** The maximum number of members, and room for comments. */
const LINES_MAX = 100_000

/** The peers that a relay serves: some for as long as it runs, and those listed in a file, one PeerId per line. */
export class AllowList {
  readonly #path: string
  readonly #always: ReadonlySet<string>
  readonly #log: Log
  #listed: ReadonlySet<string> = new Set()

  /** @param always PeerIds that are allowed regardless of the file */
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

  /**
   * Reads the file; a missing file counts as empty. @throws {PeerError} when a line is not a PeerId; the list then
   * stays unchanged
   */
  async read(): Promise<void> {
    this.#listed = await listedIn(this.#path)
  }

  /**
   * Reads the file again whenever it has changed and is completely written: an editor that writes in place leaves it
   * empty for a moment.
   *
   * @param onChange called after it was read
   */
  watch(onChange: () => void, lookMs = LOOK_MS): void {
    watchFile(this.#path, { interval: lookMs, persistent: false }, () => {
      settled(this.#path)
        .then(() => this.read())
        .then(() => {
          this.#log.info({ file: this.#path, admitted: this.size }, 'the allow list was reloaded')
          onChange()
        })
        .catch((error: unknown) => {
          this.#log.warn(
            { error: messageOf(error) },
            'the allow list could not be reloaded and stays unchanged'
          )
        })
    })
  }

  stop(): void {
    unwatchFile(this.#path)
  }
}

/** Resolves when a file's length and modification time have been stable for a while, or it no longer exists. */
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
    text = decodeUtf8(await readFile(path), path)
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

/** A PeerId in its normal form. @throws {PeerError} for anything else, naming its place */
export function readPeerId(text: string, where: string): string {
  try {
    return peerIdFromString(text).toString()
  } catch {
    throw new PeerError(`${where}: ${text.slice(0, 80)} is not a PeerId such as 12D3KooW…`)
  }
}
