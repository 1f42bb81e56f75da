import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { writeFileWhole } from '../../../storage/atomic-file.ts'
import { messageOf } from '../../../storage/peer-error.ts'
import { type ChannelListener, MESSAGE_BYTES_MAX, type TrainerChannel } from './channel.ts'
import { CONTRACT_VERSION } from './contract.ts'

/** Polling interval for answers, milliseconds: a shared file system does not notify about writes by other machines. */
const POLL_MS = 200

/** File name of message `number` in a direction. */
export const messageFile = (number: number): string => `${String(number).padStart(6, '0')}.json`

/** The unread messages of a direction, in order. */
export async function unreadMessages(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => /^\d{6,}\.json$/.test(name)).sort()
}

/** Path where an attached trainer finds its session. */
export const sessionFile = (folder: string): string => join(folder, 'session.json')

/**
 * Waits for a trainer started elsewhere and communicates with it through files.
 *
 * @param folder the home's folder for trainers
 */
export async function openFolderChannel(folder: string, to: ChannelListener): Promise<TrainerChannel> {
  const session = randomBytes(8).toString('hex')
  const [requests, answers] = ['requests', 'answers'].map((name) => join(folder, session, name))
  await removeOldSessions(folder)
  for (const path of [requests!, answers!]) await mkdir(path, { recursive: true, mode: 0o700 })
  await writeFileWhole(sessionFile(folder), encode({ contract: CONTRACT_VERSION, session }))
  let sent = 0
  let writing: Promise<void> = Promise.resolve()
  const stopping = new AbortController()

  const end = (reason: string): void => {
    if (stopping.signal.aborted) return
    stopping.abort()
    to.ended(reason)
  }
  const poll = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const [name] = await unreadMessages(answers!)
      if (name === undefined) {
        await pause(POLL_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
        continue
      }
      const path = join(answers!, name)
      try {
        if ((await stat(path)).size > MESSAGE_BYTES_MAX)
          throw new Error(`it has more than ${MESSAGE_BYTES_MAX} bytes`)
        const json: unknown = JSON.parse(await readFile(path, 'utf8'))
        await rm(path, { force: true })
        to.message(json)
      } catch (error) {
        return end(`${path} is not a message: ${messageOf(error)}`)
      }
    }
  }
  void poll()

  return {
    send(request) {
      const path = join(requests!, messageFile(++sent))
      writing = writing
        .then(() => writeFileWhole(path, encode(request)))
        .catch((error: unknown) => end(messageOf(error)))
    },
    async close() {
      await writing
      end('the session is over')
      await rm(sessionFile(folder), { force: true })
      await rm(join(folder, session), { recursive: true, force: true })
    }
  }
}

/** Sessions of daemons that were killed. */
async function removeOldSessions(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => []))
    if (/^[0-9a-f]{16}$/.test(name)) await rm(join(folder, name), { recursive: true, force: true })
}

function encode(json: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(json)}\n`)
}
